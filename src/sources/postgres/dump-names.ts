import type { Connection } from './connection.ts';

/** Texts of a dump are in the database's encoding, one byte a character, and only the server knows what they say. */
export async function decoded(session: Connection, texts: readonly string[], encoding: string): Promise<string[]> {
  if (texts.length === 0) return [];
  if (encoding === 'SQL_ASCII') return texts.map((text) => Buffer.from(text, 'latin1').toString('utf8'));
  const rows = await session.query<{ text: string }>(
    'SELECT convert_from(bytes, $2) AS text FROM unnest($1::bytea[]) WITH ORDINALITY AS s (bytes, at) ORDER BY at',
    [texts.map((text) => Buffer.from(text, 'latin1')), encoding],
  );
  return rows.map(({ text }) => text);
}

/** What somebody typed, as the dump has it. A name that its encoding cannot hold is in no dump: it stays as it is. */
export async function encoded(session: Connection, texts: readonly string[], encoding: string): Promise<string[]> {
  const bytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
  if (encoding === 'UTF8' || encoding === 'SQL_ASCII' || texts.length === 0) return texts.map(bytes);
  try {
    const rows = await session.query<{ bytes: Buffer }>(
      'SELECT convert_to(text, $2) AS bytes FROM unnest($1::text[]) WITH ORDINALITY AS s (text, at) ORDER BY at',
      [texts, encoding],
    );
    return rows.map((row) => row.bytes.toString('latin1'));
  } catch {
    return texts.map(bytes);
  }
}
