"""Stands in for `kairos init`, `collector`, `worker` and `api` where only processes are tested: answers /readyz."""

import http.server
import os
import sys

PORTS = {"collector": "KAIROS_PORT", "worker": "KAIROS_METRICS_PORT", "api": "KAIROS_API_PORT"}


class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
        self.wfile.write(b"".join(f"{name}={value}\n".encode() for name, value in os.environ.items()))


def main(command: str) -> None:
    if command == "init":
        print("init", os.environ["KAIROS_KAFKA"], os.environ["KAIROS_REDIS"], os.environ["KAIROS_PARTITIONS"])
        sys.exit(os.environ.get("STANDIN_INIT"))
    port = os.environ[PORTS[command]]
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Ready).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
