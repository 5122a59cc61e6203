import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** The fault suite: one scenario after the other, as their figures are times and the machine is part of them. */
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ['tests/faults/**/*.test.ts'],
      globalSetup: ['tests/setup/compiled.mjs'],
      fileParallelism: false,
      maxWorkers: 1,
      // What a scenario has measured is a line for machines too.
      disableConsoleIntercept: true,
    },
  }),
);
