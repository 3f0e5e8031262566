"""Builds the HTTP application: health, metrics, the operator's endpoints, and a signpost.

All handlers are ``async``: Quart would run a plain function in a thread, and nothing here may see
the published values from another thread than the loop's.
"""

from quart import Response
from quart_trio import QuartTrio

from tradebaas.web import status
from tradebaas.web.api import add_chaos, add_commands, add_reads
from tradebaas.web.guard import Bounded, refuse
from tradebaas.web.health import Facts, Status, findings, glance, observe, verdict
from tradebaas.web.metrics import CONTENT_TYPE, render
from tradebaas.web.reply import MAX_BODY_BYTES, BadBody, answer, problem
from tradebaas.web.shell import Shell

BODY_SECONDS = 10

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>TradeBaas</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<style>body {font: 1rem/1.5 sans-serif; max-width: 40rem; margin: auto; padding: 1rem}</style>
<h1>TradeBaas</h1><p>The daemon is running. Look here:</p><ul>
<li><a href="/health">/health</a>: is everything well, and what was found at the last start
<li><a href="/api/strategy/status">/api/strategy/status</a>: what the strategy is doing
<li><a href="/api/position">/api/position</a>, <a href="/api/orders">/api/orders</a>: what is open
<li><a href="/api/recovery">/api/recovery</a>: the recovery report
<li><a href="/api/gap">/api/gap</a>: after a restore, what the backup did not have
<li><a href="/metrics">/metrics</a>: for Prometheus
</ul><p>In a terminal: <code>tradebaas status</code>, <code>tradebaas log --follow</code>,
<code>tradebaas halt REASON</code>.</p></html>
"""


def create_app(shell: Shell) -> QuartTrio:
    """The application of one process; serve it with ``web.server.serve``."""
    app = QuartTrio("tradebaas.web", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["BODY_TIMEOUT"] = BODY_SECONDS
    app.asgi_app = Bounded(app.asgi_app)  # type: ignore[method-assign]
    _add_errors(app)
    _add_guard(app, shell.token)
    _add_health(app, shell)
    add_reads(app, shell)
    add_commands(app, shell)
    if shell.kill is not None:
        add_chaos(app, shell.kill)
    return app


def _add_guard(app: QuartTrio, token: str) -> None:
    @app.before_request
    async def guard() -> Response | None:
        return refuse(token)


def _add_errors(app: QuartTrio) -> None:
    @app.errorhandler(BadBody)
    async def bad_body(error: BadBody) -> Response:
        return problem(400, str(error))

    @app.errorhandler(404)
    async def not_found(_error: Exception) -> Response:
        return problem(404, "there is nothing at this path; / lists what there is")

    @app.errorhandler(405)
    async def wrong_method(_error: Exception) -> Response:
        return problem(405, "this path takes another method (GET reads, POST commands)")

    @app.errorhandler(413)
    async def too_large(_error: Exception) -> Response:
        return problem(413, f"the body is larger than {MAX_BODY_BYTES} bytes")

    @app.errorhandler(500)
    async def failed(_error: Exception) -> Response:
        return problem(500, "a bug in the HTTP side; the log has the traceback", outcome="unknown")


def _code(facts: Facts) -> int:
    return 503 if verdict(findings(facts)) is Status.UNHEALTHY else 200


def _add_health(app: QuartTrio, shell: Shell) -> None:
    @app.get("/")
    async def page() -> Response:
        return Response(PAGE, content_type="text/html; charset=utf-8")

    @app.get("/health")
    async def health() -> Response:
        facts = await observe(shell)
        return answer(status.health_body(facts), _code(facts))

    @app.get("/api/status")
    async def now() -> Response:
        facts = await observe(shell)
        return answer(status.now_body(facts), _code(facts))

    @app.get("/health/live")
    async def live() -> Response:
        return answer({"status": "live"})

    @app.get("/health/ready")
    async def ready() -> Response:
        facts = glance(shell)
        return answer(status.ready_body(facts), 200 if facts.alive else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(render(await observe(shell)), content_type=CONTENT_TYPE)
