// npm start
import { runCompiled } from './run-compiled.mjs';

await runCompiled('main.js');
