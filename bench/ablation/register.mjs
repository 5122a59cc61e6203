import { register } from 'node:module';
import process from 'node:process';

// Node loads this before the product, in the product's process.
register('./replace-source.mjs', import.meta.url, { data: JSON.parse(process.env.BENCH_REPLACE ?? '{}') });
