/**
 * What a role, a database or a server may have set otherwise, and what would then end our work half-way (B28) or give a value
 * another text: money with other commas is another sum where it is read again. Both sides of a restore have the same.
 */
const fixed: ReadonlyArray<readonly [name: string, value: string]> = [
  ['statement_timeout', '0'],
  ['lock_timeout', '0'],
  ['idle_in_transaction_session_timeout', '0'],
  ['default_transaction_read_only', 'off'],
  ['default_transaction_isolation', 'read committed'],
  ['default_transaction_deferrable', 'off'],
  ['search_path', 'pg_catalog'],
  ['standard_conforming_strings', 'on'],
  ['backslash_quote', 'safe_encoding'],
  ['TimeZone', 'UTC'],
  ['DateStyle', 'ISO, YMD'],
  ['IntervalStyle', 'postgres'],
  ['extra_float_digits', '3'],
  ['bytea_output', 'hex'],
  ['lc_monetary', 'C'],
  ['lc_numeric', 'C'],
  ['lc_time', 'C'],
  ['xmlbinary', 'base64'],
  ['xmloption', 'content'],
  ['array_nulls', 'on'],
  ['transform_null_equals', 'off'],
  ['quote_all_identifiers', 'off'],
];

/** For a session of ours: one statement each. */
export function settings(how: 'SET' | 'SET LOCAL'): string {
  return fixed.map(([name, value]) => `${how} ${name} = '${value}'`).join(';');
}

/** For PostgreSQL's own programs: `PGOPTIONS`, which wins over what role and database have set. */
export const programOptions = fixed.map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`).join(' ');
