import { defineConfig } from 'prisma/config';

// The command looks for a native schema engine before anything else, and downloads one where there is none, although
// generating needs none and migrating goes through src/database. Any existing path keeps it from looking.
process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath;

// The tool reads the default export.
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
});
