import type { Sabotage } from '../sabotage.ts';
import type { AccountFacts } from './accounts.ts';
import type { Session } from './connection.ts';
import type { Objects, Table } from './objects.ts';

/** A way to break a database: a look at the whole one says where, and with which words. */
export interface Way extends Pick<Sabotage, 'name' | 'harm'> {
  /** What could be hurt, those that show the most first. */
  find(whole: Whole): Promise<readonly Target[]> | readonly Target[];
  /** What is not there when `find` gives nothing: `it has no trigger`. */
  readonly absent: string;
}

export interface Whole {
  readonly session: Session;
  readonly database: string;
  readonly objects: Objects;
  /** Tables with rows, those with most of them first. */
  readonly filled: readonly Filled[];
  readonly accounts: readonly AccountFacts[];
}

export interface Filled {
  readonly table: Table;
  readonly columns: readonly Column[];
  readonly rows: number;
}

export interface Column {
  readonly name: string;
  readonly type: string;
  /** `tinyint(1)`, `datetime(3)`. */
  readonly full: string;
  readonly nullable: boolean;
  readonly inKey: boolean;
  readonly hasDefault: boolean;
  readonly charset: string;
}

export interface Target {
  /** Its name, without quotes: what a finding has to say. */
  readonly name: string;
  /** For people; the name when absent. */
  readonly what?: string;
  /** In the broken copy, `%database%` is its name. */
  readonly strike: string;
  /** Whose rows or definition it hurts, to be made anew; absent: something that is made without rows. */
  readonly table?: Table;
  /** What is no part of the database: statements that bring it back. */
  readonly undo?: readonly string[];
}
