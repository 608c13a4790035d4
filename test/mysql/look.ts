import type { Mariadb } from '../support/mariadb.ts';

/** All that the server itself says of a database: every table's checksum, and how everything is made, without the database's name. */
export async function lookAt(server: Mariadb, database: string): Promise<unknown> {
  const names = async (sql: string) =>
    (await server.query(sql.replaceAll('?', `'${database}'`))).map((row) => row.join(' '));
  const tables = await names(
    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') ORDER BY 1",
  );
  const quoted = tables.map((one) => `\`${one.replaceAll('`', '``')}\``);
  const checksums = tables.length === 0 ? [] : await server.query(`CHECKSUM TABLE ${quoted.join(', ')}`, database);
  const created = await Promise.all(quoted.map((one) => server.query(`SHOW CREATE TABLE ${one}`, database)));
  const others = await names(
    `SELECT 'view', TABLE_NAME, VIEW_DEFINITION, DEFINER, SECURITY_TYPE FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?
     UNION SELECT ROUTINE_TYPE, ROUTINE_NAME, ROUTINE_DEFINITION, DEFINER, SQL_MODE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?
     UNION SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, ACTION_STATEMENT, DEFINER, SQL_MODE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?
     UNION SELECT STATUS, EVENT_NAME, EVENT_DEFINITION, DEFINER, SQL_MODE FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ? ORDER BY 1, 2`,
  );
  const itself = await names(
    'SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME, SCHEMA_COMMENT FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?',
  );
  const text = JSON.stringify({ checksums, created, others, itself }).replaceAll(`\`${database}\``, '`?`');
  return JSON.parse(text.replaceAll(`"${database}.`, '"?.')) as unknown;
}
