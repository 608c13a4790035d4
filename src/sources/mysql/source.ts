import type { Run } from '../../core/run.ts';
import type { Inspection, Source } from '../source.ts';
import { captureMysql, serverOf } from './capture.ts';
import { connect, literal } from './connection.ts';
import { databaseMissing } from './errors.ts';
import { measureTables } from './measure.ts';
import { restoreMysql, stateOf } from './restore.ts';
import { parseUrl, type ServerAddress, showAddress } from './url.ts';

/** One database of a MariaDB or MySQL server. @throws `mysql-url-wrong` */
export function mysqlSource({ url }: { readonly url: string }): Source {
  const address = parseUrl(url);
  return {
    kind: 'mysql',
    profile: 'database',
    location: showAddress(address),
    hostPaths: [],
    inspect: (run) => inspectMysql(address, run),
    capture: (run) => captureMysql(address, run),
    restore: (contents, target, run) => restoreMysql(address, contents, target, run),
    // A database has nothing that tells it from another of its name.
    wasPlaced: async () => false,
    async isBare(_, run) {
      await using admin = await connect(address, { signal: run.signal, database: '' });
      return (await stateOf(admin, address.database)).holds === undefined;
    },
    measure: (where, _, run) => measureTables(parseUrl(where), run),
  };
}

async function inspectMysql(address: ServerAddress, run: Run): Promise<Inspection> {
  await using session = await connect(address, { signal: run.signal, database: '' });
  const { exists } = await stateOf(session, address.database);
  if (!exists) throw databaseMissing({ database: address.database, where: showAddress(address) });
  const { version } = await serverOf(session);
  const [row] = await session.ask(
    `SELECT SUM(DATA_LENGTH) s FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${literal(address.database)}`,
  );
  return { versions: { server: version }, ...(row?.s != null && { sizeBytes: Number(row.s) }), problems: [] };
}
