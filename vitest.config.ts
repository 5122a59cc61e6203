import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Packages load graphql as Node does, by its `main`; Vite would prefer its `module` for our code, and graphql refuses
  // to work with types of its own other copy.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/faults/**', 'tests/scale/**'],
    globalSetup: ['tests/setup/postgres.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: more workers than that only make the machine noisy.
    maxWorkers: 2,
    // Each file loaded the whole product anew: half of the time of a run. Files share what modules remember, so a test that
    // changes something for the whole process sets it back.
    isolate: false,
  },
});
