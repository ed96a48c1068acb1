# One instance. Set JWT_SECRET (32 random characters or more). Without DATABASE_URL it keeps an embedded database in /data;
# with it, and REDIS_URL, start as many as you want.

FROM oven/bun:1.4.5-slim AS dependencies
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production

FROM oven/bun:1.4.5-slim
WORKDIR /app
ENV NODE_ENV=production DATA_DIR=/data
RUN mkdir /data && chown bun:bun /data
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY drizzle drizzle
COPY src src
USER bun
VOLUME /data
EXPOSE 3000
# Drains: see DRAIN_SECONDS, and give the container longer than that to stop.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["bun", "-e", "process.exit((await fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/live`)).ok ? 0 : 1)"]
CMD ["bun", "src/main.ts"]
