"""
The floor: a bare aiohttp server that reads the body of any request and answers a constant.

Owns: nothing else. What it costs is what any server made with aiohttp costs.
"""

import asyncio

from aiohttp import web

ANSWER = b"<hello/>"


async def answer(request: web.Request) -> web.Response:
    """The constant."""
    await request.read()
    return web.Response(body=ANSWER, content_type="text/xml")


async def serve() -> None:
    """Never returns; prints where it serves."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"hello serves on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
