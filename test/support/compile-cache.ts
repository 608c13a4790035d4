import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the processes that a test file starts share their compiled code; it goes with the test file. */
export const compileCache = mkdtempSync(join(tmpdir(), 'lifeboat-test-'));
process.on('exit', () => rmSync(compileCache, { recursive: true, force: true }));
