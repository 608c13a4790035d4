// The application of the drill tests: signs in, shows an invoice, serves an upload. BROKEN makes it fail in known ways.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const { PORT, DATABASE, UPLOADS, BROKEN = '' } = process.env;
if (BROKEN === 'exits') {
  console.error(`cannot start with ${process.env.SECRET_TOKEN}`);
  process.exit(3);
}
const database = new DatabaseSync(DATABASE);
database.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS visits (at TEXT)');
const sessions = new Set();

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://x');
  if (pathname === '/health') return response.writeHead(BROKEN === 'never-ready' ? 503 : 200).end('health');
  if (pathname === '/login') {
    const form = new URLSearchParams(Buffer.concat(await Array.fromAsync(request)).toString());
    const user = database
      .prepare('SELECT id FROM users WHERE email = ? AND password = ?')
      .get(form.get('email'), form.get('password'));
    if (user === undefined || BROKEN === 'sign-in') return response.writeHead(401).end('wrong password');
    const session = randomUUID();
    sessions.add(session);
    return response.writeHead(303, { location: '/', 'set-cookie': `session=${session}; HttpOnly` }).end();
  }
  if (!sessions.has(/session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1])) return response.writeHead(403).end();
  database.exec("INSERT INTO visits VALUES (datetime('now'))");
  const [, what, id] = pathname.split('/');
  if (what === 'invoices') {
    const invoice = database.prepare('SELECT number FROM invoices WHERE id = ?').get(id);
    return response.writeHead(invoice ? 200 : 404).end(`<h1>${invoice?.number}</h1>`);
  }
  const upload = database.prepare('SELECT path FROM uploads WHERE id = ?').get(id);
  response.writeHead(200, { 'content-type': 'application/pdf' }).end(readFileSync(join(UPLOADS, upload.path)));
});
server.listen(BROKEN === 'other-port' ? Number(PORT) ^ 1 : Number(PORT), '127.0.0.1');
