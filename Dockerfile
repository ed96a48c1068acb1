# One instance: the executable, and nothing beside it. Set JWT_SECRET (32 random characters or more). Without DATABASE_URL it
# keeps an embedded database in /data; with it, and REDIS_URL, start as many as you want. `docker run … carillon status`, and the
# other commands: see `carillon --help`.

FROM oven/bun:1.4.5-slim AS build
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production
COPY drizzle drizzle
COPY src src
RUN bun run build

FROM debian:12-slim
ENV NODE_ENV=production DATA_DIR=/data
RUN useradd --system --no-create-home carillon && mkdir /data && chown carillon /data
COPY LICENSE /usr/share/doc/carillon/
COPY --from=build /app/dist/carillon /usr/local/bin/
USER carillon
VOLUME /data
EXPOSE 3000
# Drains: see DRAIN_SECONDS, and give the container longer than that to stop.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["carillon", "health"]
ENTRYPOINT ["carillon"]
