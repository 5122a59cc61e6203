// npm run build: compiles src into dist, types checked.
import process from 'node:process';
import { compile } from './compile.mjs';

if (!compile({ check: true })) process.exitCode = 1;
