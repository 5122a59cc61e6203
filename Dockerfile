# The current LTS line of Node; the slim image is enough, since nothing here is compiled natively.
ARG NODE_IMAGE=node:26-trixie-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# Before the sources, so that a changed source does not install everything again.
COPY package.json package-lock.json .npmrc ./
# The only optional package is the embedded PostgreSQL; a container is given DATABASE_URL instead.
RUN npm ci --omit=optional --ignore-scripts
COPY . .
RUN npm run build
RUN npm prune --omit=dev --omit=optional --ignore-scripts
RUN mkdir -p logs data

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
# Inside the container this is the network of the container alone; what is published decides who reaches it.
ENV HOST=0.0.0.0
ENV PORT=3000
# The first admin key is written to data/first-admin-key, or is BOOTSTRAP_ADMIN_KEY.
ENV AUTH_MODE=keys
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/prisma ./prisma
COPY --from=build /app/dist ./dist
# All that the process may write; the rest stays root's.
COPY --from=build --chown=1001:1001 /app/logs ./logs
COPY --from=build --chown=1001:1001 /app/data ./data
USER 1001:1001
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 3000) + '/health/live').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# No init process: node handles SIGTERM itself as process 1, and starts no processes that would have to be reaped.
CMD ["node", "--max-semi-space-size=32", "dist/main.js"]
