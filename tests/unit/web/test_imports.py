"""What the page loads."""

import subprocess
import sys


def test_the_page_loads_no_network_library() -> None:
    heavy = "{'tensorflow', 'keras', 'openvino'}"
    code = f"import web.server, sys; print(sorted({heavy} & {{name.split('.')[0] for name in sys.modules}}))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert said.stdout == "[]\n"
