"""WebSocket: bytes in binary messages, over TCP or over TLS.

`transport` dials and listens, `pipe` joins a socket with an asyncio protocol, and two layers without input
and output of their own do the work in between: `framing` over the `websockets` library, `tls` over `ssl`.
The library is loaded with the first connection or listener.
"""

from plait.transports.websocket.options import WebSocketOptions
from plait.transports.websocket.transport import WebSocketTransport

__all__ = ["WebSocketOptions", "WebSocketTransport"]
