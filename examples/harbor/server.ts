/** Harbor, a small invoicing application: the thing that the demo, the drills and the tests protect. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { migrate, openDatabase } from './database.ts';
import { handle } from './routes.ts';
import { readSettings } from './settings.ts';

const settings = readSettings();
const database = await openDatabase(settings.database);
await migrate(database);

const server = createServer((request, response) => handle({ database, settings }, request, response));
server.requestTimeout = 30_000;
server.on('error', (error) => {
  console.error(`harbor: ${error.message}`);
  process.exit(1);
});
server.listen(settings.port, '127.0.0.1', () => {
  console.log(`Harbor on http://127.0.0.1:${(server.address() as AddressInfo).port} with ${database.engine}`);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    server.close(() => void database.close());
    server.closeAllConnections();
  });
}
