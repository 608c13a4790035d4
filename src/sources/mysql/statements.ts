/** What a file of a dump begins with: it brings its part back by itself, with the server's own client. */
export interface Head {
  readonly text: string;
  /** Each statement ends with it, at the end of a line. */
  readonly delimiter: string;
}

const usual = '$$lifeboat';

/** One that is in none of the texts: whoever may name a table or write a routine would else write statements of a restore. */
export function freeDelimiter(texts: readonly string[]): string {
  for (let at = 0; ; at++) {
    const delimiter = at === 0 ? usual : `${usual}${at}`;
    if (!texts.some((text) => text.includes(delimiter))) return delimiter;
  }
}

/**
 * `age -d … | zstd -d | mariadb DATABASE`, one file after another in the order of their names. What was in a table is right, whatever
 * keys, checks and formats would say of it today.
 */
export function headOf(delimiter: string): Head {
  return {
    delimiter,
    text: `-- Made by Lifeboat. One after another, in the order of their names: mariadb DATABASE < FILE
DELIMITER ${delimiter}
SET NAMES utf8mb4, time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'${delimiter}
SET check_constraint_checks = 0, innodb_strict_mode = 0${delimiter}
`,
  };
}

/** Statements as a capture wrote them, without what only a client reads. The first ones say how a session has to be. */
export async function* statementsOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  // What has come of a statement. It is joined when its end is there: a row may be as large as a server takes it.
  let pieces: Buffer[] = [];
  let end: Buffer | undefined;
  for await (const bytes of stream) {
    let piece = Buffer.from(bytes);
    if (end === undefined) {
      piece = Buffer.concat([...pieces, piece]);
      pieces = [piece];
      const found = /^--[^\n]*\nDELIMITER (\S+)\n/.exec(piece.subarray(0, 4096).toString('latin1'));
      if (found === null) continue;
      end = Buffer.from(`${found[1]}\n`);
      piece = piece.subarray(found[0].length);
      pieces = [];
    }
    // Its end may be cut in two.
    const last = pieces.pop() ?? Buffer.alloc(0);
    const joined = last.length === 0 ? piece : last.length < end.length ? Buffer.concat([last, piece]) : undefined;
    const tail = joined === undefined ? last.subarray(last.length - end.length + 1) : Buffer.alloc(0);
    if (joined === undefined) pieces.push(last.subarray(0, last.length - tail.length));
    let held = joined ?? Buffer.concat([tail, piece]);
    for (let at = held.indexOf(end); at >= 0; at = held.indexOf(end)) {
      yield pieces.length === 0 ? held.subarray(0, at) : Buffer.concat([...pieces, held.subarray(0, at)]);
      pieces = [];
      held = held.subarray(at + end.length);
    }
    if (held.length > 0) pieces.push(held);
  }
  if (pieces.length > 0) throw new Error('a file of the dump ends within a statement');
}
