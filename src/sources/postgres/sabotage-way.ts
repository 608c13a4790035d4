import type { Sabotage } from '../sabotage.ts';

/** A way to break a database, in SQL: its catalog says where, and with which words. */
export interface Way extends Pick<Sabotage, 'name' | 'harm'> {
  /**
   * Asked in the database that is to be broken. Each row is something that could be hurt; the first that lets itself be hurt is
   * taken, so those that show the most come first.
   */
  readonly find: string;
  /** What is not there when `find` has no row, or none that lets itself be hurt: `it has no trigger`. */
  readonly absent: string;
}

export interface Target {
  /** Its name, without quotes. */
  readonly name: string;
  /** For people; the name when absent. */
  readonly what?: string;
  /** With `RETURNING` at its end, it has to change a row. */
  readonly strike: string;
  /** What changes, where the catalog does not tell: a query of one column. */
  readonly look?: string;
  /** What is no part of a database that is dropped. */
  readonly undo?: string;
  /** Is done from another database: nobody may have looked into the broken one before. */
  readonly fromOutside?: boolean;
  /** Cannot be taken back. */
  readonly lasts?: boolean;
}
