import { enableCompileCache } from 'node:module';
import { inject } from 'vitest';

// Before each test file: what it loads, and what its threads load, comes from the run's cache.
enableCompileCache(inject('compileCache'));
