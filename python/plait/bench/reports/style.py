"""How the page looks: light or dark as its reader has it, wide tables that scroll in themselves."""

from __future__ import annotations

from plait.bench.reports import palette

__all__ = ["stylesheet"]


def stylesheet() -> str:
    return palette.css() + PAGE_CSS


PAGE_CSS = (
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "main{max-width:1060px;margin:0 auto;padding:24px 20px 64px}"
    "h1{font-size:26px;line-height:1.2;margin:8px 0 4px}"
    "h2{font-size:19px;margin:0 0 2px}h3{font-size:15px;margin:20px 0 4px}"
    "p{margin:4px 0 10px;max-width:75ch}"
    "a{color:var(--s1)}.quiet{color:var(--muted)}"
    "code{font:13px ui-monospace,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}"
    "nav ul{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;padding:0;margin:12px 0}"
    "section{background:var(--surface);border:1px solid var(--line);border-radius:10px;"
    "padding:18px 20px;margin:18px 0}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 18px;margin:8px 0}"
    "dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}"
    "figure{margin:14px 0;overflow-x:auto}"
    ".plots{display:flex;flex-wrap:wrap;gap:0 18px}"
    "svg{max-width:100%;height:auto;display:block}"
    ".scroll{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;min-width:50%}"
    "caption{text-align:left;font-weight:600;padding:10px 0 4px}"
    "th,td{padding:4px 12px 4px 0;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}"
    "thead th{color:var(--muted);font-weight:500}"
    "th:first-child,td:first-child,td.words{text-align:left}"
    "tbody th{font-weight:500;white-space:nowrap}"
    "td b{font-weight:600}td small{color:var(--muted);white-space:nowrap}"
    "td{white-space:nowrap}td.words{white-space:normal}"
    ".good{color:var(--good)}.bad{color:var(--bad)}"
    "details{margin:10px 0}summary{cursor:pointer;color:var(--muted)}"
    "@media(max-width:700px){svg{min-width:520px}main{padding:12px 10px}section{padding:12px}}"
    "@media print{section{break-inside:avoid}}"
)
