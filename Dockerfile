# Captions and serves, without Keras; docs/quick_start.md has its size:
#   docker build -t captioner . && docker run --rm -v "$PWD:/photos" captioner caption /photos
#   docker run --rm -p 8000:8000 -e CAPTIONER_API_KEY=... captioner serve --host 0.0.0.0
# Trains, on the CPU:
#   docker build --target train -t captioner-train .
#   docker run --rm -v "$PWD:/photos" -u "$(id -u):$(id -g)" captioner-train train --data D --out runs/mine

FROM python:3.12-slim AS source
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY captioner captioner

FROM source AS light-packages
RUN pip install --no-cache-dir --prefix=/packages '.[web]'

FROM source AS train-packages
RUN pip install --no-cache-dir --prefix=/packages '.[train]'

FROM python:3.12-slim AS base
RUN useradd --create-home captioner
USER captioner
WORKDIR /photos
ENTRYPOINT ["captioner"]
CMD ["--help"]

FROM base AS train
COPY --from=train-packages /packages /usr/local

# The last one is built where no target is given.
FROM base AS light
COPY --from=light-packages /packages /usr/local
# Asks the server whether it is well; a container that captions is well as long as it runs.
HEALTHCHECK --start-period=10s --timeout=10s CMD ["python", "-c", "import re, urllib.request; command = open('/proc/1/cmdline').read(); port = re.search('--port[=\\0](\\d+)', command); '\\0serve\\0' in command and urllib.request.urlopen(f'http://127.0.0.1:{port[1] if port else 8000}/health', timeout=5)"]
