// js-libp2p in a private network, behind the part of the peers' shared command line that its table asks for.
// One JSON object a line on stdout, messages on stderr; exit status 0 when the check held.
import { parseArgs } from 'node:util'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const { values: o, positionals: [command] } = parseArgs({
  allowPositionals: true,
  options: {
    to: { type: 'string' }, // multiaddr with /p2p/…
    transport: { type: 'string', default: 'tcp' }, // tcp
    security: { type: 'string', default: 'noise' }, // noise | tls
    muxer: { type: 'string', default: 'yamux' }, // yamux
    psk: { type: 'string' }, // 64 hex digits: the private network's key
    count: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '0' } // end a listener by itself (0: never)
  }
})
const commands = { listen, ping: pings }
const say = (report) => console.log(JSON.stringify(report))

try {
  if (commands[command] == null) throw new Error(`no such command: ${command}`)
  await commands[command]()
} catch (error) {
  say({ error: `${error.name}: ${error.message}` })
  process.exit(1)
}

async function listen () {
  const node = await newNode(['/ip4/127.0.0.1/tcp/0'])
  const stop = async () => { await node.stop(); process.exit(0) }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  if (Number(o.seconds) > 0) setTimeout(stop, Number(o.seconds) * 1000)
  say({ event: 'listening', peer: String(node.peerId), addrs: node.getMultiaddrs().map(String) })
}

async function pings () {
  const node = await newNode([])
  const connection = await node.dial(multiaddr(o.to))
  const times = []
  for (let i = 0; i < Number(o.count); i++) times.push(await node.services.ping.ping(connection.remotePeer))
  const rtt_ms = { n: times.length, min: Math.min(...times), max: Math.max(...times) }
  say({ action: 'ping', security: connection.encryption, muxer: connection.multiplexer, rtt_ms })
  await node.stop()
  process.exit(0)
}

async function newNode (listen) {
  return await createLibp2p({
    addresses: { listen },
    transports: [{ tcp }[o.transport]()],
    connectionEncrypters: [{ noise, tls }[o.security]()],
    streamMuxers: [{ yamux }[o.muxer]()],
    connectionProtector: o.psk == null ? undefined : preSharedKey({ psk: swarmKey(o.psk) }),
    // what comes under another key may look like the beginning of a line, and its rest is waited for: by default
    // 10 s, as long as our dialer waits for an answer, so that either would end first
    connectionManager: { inboundUpgradeTimeout: 3000 },
    services: { identify: identify(), ping: ping() }
  })
}

function swarmKey (digits) {
  return Buffer.from(`/key/swarm/psk/1.0.0/\n/base16/\n${digits}\n`)
}
