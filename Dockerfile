FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
COPY requirements.txt .
RUN pip install --require-hashes --requirement requirements.txt
COPY . .

# The desk writes into /data alone: its secret, its static files and, without DATABASE_URL and REDIS_URL, its data.
ENV DESK_VAR_DIR=/data
RUN useradd --system --create-home desk && mkdir /data && chown desk: /data
USER desk
VOLUME /data
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz/')"]
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0"]
