import type { TableExpectation } from '../../core/expectations.ts';
import type { Run } from '../../core/run.ts';
import type { Measurement } from '../source.ts';
import { algorithm, connectReading, definitionsOf, readTable, serverOf } from './capture.ts';
import { quoted } from './connection.ts';
import { listObjects } from './objects.ts';
import type { ServerAddress } from './url.ts';

/** What a backup would record of it now, and what the server says of its tables. */
export async function measureTables(address: ServerAddress, run: Run): Promise<Measurement> {
  await using session = await connectReading(address, run.signal);
  const { isMariadb } = await serverOf(session);
  const objects = await listObjects(session, address.database);
  const tables: TableExpectation[] = objects.sequences.map(({ name, next }) => ({
    ...{ table: `sequence ${quoted(name)}`, rows: 1, checksum: next },
  }));
  const damaged: string[] = [];
  for (const table of objects.tables) {
    const { inserts, expectation } = readTable(session, table, isMariadb);
    for await (const _ of inserts);
    tables.push(await expectation());
    const said = await session.ask(`CHECK TABLE ${quoted(table.name)}`);
    const bad = said.find(
      ({ Msg_type, Msg_text }) => Msg_type === 'error' || (Msg_type === 'status' && Msg_text !== 'OK'),
    );
    // An engine that keeps rows in memory alone has nothing to check.
    if (bad !== undefined && !/doesn't support check/.test(bad.Msg_text ?? ''))
      damaged.push(`${table.name}: ${bad.Msg_text}`);
  }
  const integrity = {
    name: 'check table',
    ok: damaged.length === 0,
    looked: objects.tables.length,
    detail: damaged.join(', '),
  };
  return { actual: { algorithm, tables: [...tables, ...definitionsOf(objects)] }, integrity: [integrity] };
}
