import { ownTables } from './sabotage-rows.ts';
import type { Way } from './sabotage-way.ts';

/**
 * Bytes of the broken database's own files are changed by the server's user while nobody has looked into it: `%base%` is its folder.
 * A file is as long as before.
 */
function bytesOf(file: string, at: string, count: string): string {
  return `format('COPY (SELECT) TO PROGRAM ''cat > /dev/null; yes lifeboat | dd of=%%base%%/%s bs=1 seek=%s count=%s conv=notrunc iflag=fullblock status=none''', ${file}, ${at}, ${count}) AS strike,
    format('SELECT md5(pg_read_binary_file(''%%base%%/%s'')) AS seen', ${file}) AS look, true AS "fromOutside"`;
}

/** The name of a table's or index's file, in the folder of its database. */
const file = 'pg_relation_filenode(c.oid)';

const indexes = (condition: string) => `FROM pg_class c JOIN pg_index ON indexrelid = c.oid
    JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_am m ON m.oid = relam AND amname = 'btree'
  WHERE indexrelid >= 16384 AND relkind = 'i' AND nspname !~ '^pg_' AND indisvalid AND (${condition})
  ORDER BY pg_relation_size(c.oid) DESC, c.oid`;
const named = "c.relname AS name, format('%s.%s', nspname, c.relname) AS what";

export const storageWays: readonly Way[] = [
  {
    name: 'an index is not valid',
    harm: 'storage',
    find: `SELECT ${named}, format('UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s', c.oid) AS strike ${indexes('true')}`,
    absent: 'it has no index',
  },
  {
    name: 'an index lacks rows',
    harm: 'storage',
    find: `SELECT ${named}, format('UPDATE pg_index SET indisready = false WHERE indexrelid = %1$s;
        CREATE TEMP TABLE moved ON COMMIT DROP AS SELECT * FROM ONLY %2$s WHERE ctid = ANY(ARRAY(SELECT ctid FROM ONLY %2$s LIMIT 10));
        DELETE FROM ONLY %2$s WHERE ctid = ANY(ARRAY(SELECT ctid FROM ONLY %2$s LIMIT 10)); INSERT INTO %2$s OVERRIDING SYSTEM VALUE TABLE moved;
        UPDATE pg_index SET indisready = true WHERE indexrelid = %1$s', c.oid, indrelid::regclass) AS strike,
        format('SELECT md5(string_agg(ctid::text, '','')) AS seen FROM ONLY %s', indrelid::regclass) AS look
      ${indexes('indexprs IS NULL AND indpred IS NULL AND pg_relation_size(indrelid) > 0')}`,
    absent: 'it has no plain index of a table with rows',
  },
  {
    name: "an index's page is damaged",
    harm: 'storage',
    find: `SELECT ${named}, ${bytesOf(file, "current_setting('block_size')::int + 24", '4000')}
      ${indexes("pg_relation_size(c.oid) > current_setting('block_size')::int AND reltablespace = 0")}`,
    absent: 'it has no index with entries in the usual place',
  },
  {
    name: "a table's page is damaged",
    harm: 'storage',
    find: `SELECT relname AS name, format('%s.%s', nspname, relname) AS what, ${bytesOf(file, '0', '200')}
      ${ownTables('', 'pg_relation_size(c.oid) > 0 AND reltablespace = 0')}`,
    absent: 'it has no table with rows in the usual place',
  },
  {
    name: "a table's last page is zeros",
    harm: 'rows',
    find: `SELECT relname AS name, format('%s.%s', nspname, relname) AS what,
        format('COPY (SELECT) TO PROGRAM ''cat > /dev/null; dd if=/dev/zero of=%%base%%/%s bs=%s seek=%s count=1 conv=notrunc status=none''', ${file},
          current_setting('block_size'), pg_relation_size(c.oid) / current_setting('block_size')::int - 1) AS strike,
        format('SELECT md5(pg_read_binary_file(''%%base%%/%s'')) AS seen', ${file}) AS look, true AS "fromOutside"
      ${ownTables('', 'pg_relation_size(c.oid) BETWEEN 1 AND 1 << 29 AND reltablespace = 0')}`,
    absent: 'it has no table with rows in the usual place',
  },
];
