"""moto_server with a CloudFormation that deploys every resource through the AWS APIs, or fails and says why.

    python server.py --port 0 --gateway http://127.0.0.1:4566

listens on 127.0.0.1, prints "listening on URL" once it does, and exits when its standard input is closed, so that it
never outlives the process that started it.
"""

import argparse
import functools
import gc
import io
import os
import sys
import threading
import traceback

import botocore.loaders

# Sessions read the same data: half a second of moto's imports is reading the list of Regions again.
botocore.loaders.create_loader = functools.cache(botocore.loaders.create_loader)
# No browser asks for anything here. Moto looks at the variable when it is imported.
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"

from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from werkzeug.serving import WSGIRequestHandler, make_server

import imports  # before all that imports moto's services
import mends
import once
import organizations
import refusals
import stacks
import stacksets
from state import State


class Handler(WSGIRequestHandler):
    """Keeps connections, and leaves standard error to errors: a line a request is what the gateway records.

    werkzeug's own handler closes each connection, as it does not know whether the application has read the body.
    """

    wbufsize = -1  # the header leaves together with the body
    disable_nagle_algorithm = True

    def log_request(self, *args):
        pass

    def run_wsgi(self):
        self.wfile.flush()  # the answer to Expect: 100-continue
        environ = self.make_environ()
        if environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read()
            self.close_connection = True  # what follows the last chunk is not read
        else:
            body = self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        started = []
        try:
            chunks = self.server.app(environ, lambda status, headers, exc_info=None: started.append((status, headers)))
            try:
                answer = b"".join(chunks)
            finally:
                if hasattr(chunks, "close"):
                    chunks.close()
            status, headers = started[-1]
        except Exception:
            traceback.print_exc()
            answer, status, headers = b"", "500 Internal Server Error", []
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        bodiless = self.command == "HEAD" or code in ("204", "304")
        for name, value in headers:
            if bodiless or name.lower() != "content-length":
                self.send_header(name, value)
        if not bodiless:
            self.send_header("Content-Length", str(len(answer)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if not bodiless:
            self.wfile.write(answer)
        self.wfile.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free port")
    parser.add_argument("--gateway", required=True, help="endpoint that CloudFormation's resource handlers call")
    arguments = parser.parse_args()

    once.install()
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
        State(mends.CBOR(DomainDispatcherApplication(once.create_backend_app))),
        threaded=True,
        request_handler=Handler,
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
