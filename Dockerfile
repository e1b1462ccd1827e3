# docker build -t captioner . && docker run --rm -v "$PWD:/photos" captioner caption /photos
# docker run --rm -p 8000:8000 -e CAPTIONER_API_KEY=... captioner serve --host 0.0.0.0
FROM python:3.12-slim
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY captioner captioner
RUN pip install --no-cache-dir '.[web]' && useradd --create-home captioner
USER captioner
WORKDIR /photos
ENTRYPOINT ["captioner"]
CMD ["--help"]
