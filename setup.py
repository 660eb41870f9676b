"""What pyproject.toml cannot say: the one extension in C. Everything else is there.

`optional`: without a compiler Graft is installed without it, and images are decoded by TensorFlow.
"""

from setuptools import Extension, setup

RESIZE = Extension(
    "modelserver.engines.pixels.kernel",
    ["modelserver/engines/pixels/kernel.c"],
    # one float32 operation after the other, as TensorFlow does them: contracted or reordered, the bits differ
    extra_compile_args=[
        "-std=c11",
        "-O3",
        "-ffp-contract=off",
        "-fno-fast-math",
        "-Wall",
        "-Wextra",
        "-Werror=implicit-function-declaration",
    ],
    py_limited_api=True,
    optional=True,
)

# one wheel for all versions of Python from 3.11 on
setup(ext_modules=[RESIZE], options={"bdist_wheel": {"py_limited_api": "cp311"}})
