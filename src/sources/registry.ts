import { commandEngine } from './command/engine.ts';
import type { Engine } from './engine.ts';
import { filesEngine } from './files/engine.ts';
import { mysqlEngine } from './mysql/engine.ts';
import { postgresEngine } from './postgres/engine.ts';
import { sqliteEngine } from './sqlite/engine.ts';

/** All engines are named here and nowhere else. Each loads what it works with when it is first needed. */
export const engines: readonly Engine[] = [sqliteEngine, filesEngine, postgresEngine, mysqlEngine, commandEngine];
