"""moto_server with a CloudFormation that deploys every resource through the AWS APIs, or fails and says why.

    python server.py --port 0 --gateway http://127.0.0.1:4566

listens on 127.0.0.1, prints "listening on URL" once it does, and exits when its standard input is closed, so that it
never outlives the process that started it.
"""

import argparse
import gc
import os
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

import mends
import organizations
import refusals
import stacks
import stacksets
from state import State


class QuietHandler(WSGIRequestHandler):
    """Leaves standard error to errors: a line a request is what the gateway records."""

    def log_request(self, *args):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free port")
    parser.add_argument("--gateway", required=True, help="endpoint that CloudFormation's resource handlers call")
    arguments = parser.parse_args()

    mends.install()
    refusals.install()
    organizations.install()
    stacks.install(arguments.gateway)
    stacksets.install()
    # Moto's modules are half a million objects that stay: no collection need look at them.
    gc.freeze()
    # Nor need it look at young objects every 700 of them: a request makes thousands, and drops them.
    gc.set_threshold(50_000, 20, 100)
    server = make_server(
        "127.0.0.1",
        arguments.port,
        State(mends.CBOR(DomainDispatcherApplication(create_backend_app))),
        threaded=True,
        request_handler=QuietHandler,
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
