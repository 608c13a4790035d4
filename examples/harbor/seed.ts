/**
 * Fills an empty Harbor, the same on every run: `seed.ts [--customers 200] [--invoices 3000] [--uploads 300]`.
 * Settings as for server.ts. The password of ada@harbor.example comes from HARBOR_PASSWORD.
 */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Database, migrate, openDatabase } from './database.ts';
import { makePdf, makePng } from './documents.ts';
import { insertRows } from './invoices.ts';
import { hashPassword } from './passwords.ts';
import { type Random, seededRandom } from './random.ts';
import { readSettings } from './settings.ts';
import { kindOf, uploadPath } from './uploads.ts';

type Row = (string | number)[];

const places = [
  ['Lisbon', 'Portugal'],
  ['Gdańsk', 'Poland'],
  ['Bergen', 'Norway'],
  ['Hamburg', 'Germany'],
  ['Genova', 'Italy'],
  ['Cork', 'Ireland'],
  ['Marseille', 'France'],
  ['Tallinn', 'Estonia'],
] as const;
const firstWords = ['North', 'Blue', 'Anker', 'Silver', 'Harbour', 'Côte', 'Old', 'Lighthouse', 'Tide', 'Kestrel'];
const secondWords = ['Shipping', 'Rope Works', 'Cannery', 'Chandlers', 'Logistics', 'Sailmakers', 'Fisheries', 'Docks'];
const kinds = ['Ltd', 'GmbH', 'AS', 'S.A.', 'Oy', '& Daughters'];
const items = ['Berth, per night', 'Diesel, litre', 'Crane, hour', 'Pilotage', 'Fresh water, m³', 'Cold storage, day'];
const notes = ['', '', '', 'Thank you.', 'Please quote the number.', 'Agreed on the quay with the "Órla".'];

const { values: wanted } = parseArgs({
  options: {
    customers: { type: 'string', default: '200' },
    invoices: { type: 'string', default: '3000' },
    uploads: { type: 'string', default: '300' },
  },
});
const settings = readSettings();
const password = process.env.HARBOR_PASSWORD;
if (!password) throw new Error('HARBOR_PASSWORD is not set: the password that ada@harbor.example will have.');

const random = seededRandom(4711);
const database = await openDatabase(settings.database);
try {
  await migrate(database);
  const [users] = await database.query<{ many: number }>('select count(*) as many from users');
  if (users?.many) throw new Error('This Harbor has users already; only an empty one can be seeded.');

  const customers = makeCustomers(random, Number(wanted.customers));
  const invoices = makeInvoices(random, Number(wanted.invoices), customers.length);
  const lines = makeLines(random, invoices);
  const uploads = await writeUploads(random, Number(wanted.uploads), invoices, settings.uploadsDir);
  const salt = createHash('sha256').update('harbor seed').digest().subarray(0, 16);
  const ada: Row = [1, 'ada@harbor.example', 'Ada Quay', await hashPassword(password, salt)];

  await database.transaction(async (query) => {
    await insertRows(query, 'users (id, email, name, password)', [ada]);
    await insertRows(query, 'customers (id, name, email, city, country)', customers);
    await insertRows(query, 'invoices (id, customer_id, issued, due, status, note, created_at)', invoices);
    await insertRows(query, 'invoice_lines (invoice_id, position, description, quantity, unit_cents)', lines);
    const columns = 'uploads (id, invoice_id, file_name, path, content_type, size_bytes, sha256, created_at)';
    await insertRows(query, columns, uploads);
  });
  await continueNumbering(database);
  console.log(
    `${customers.length} customers, ${invoices.length} invoices, ${lines.length} lines, ${uploads.length} uploads`,
  );
} finally {
  await database.close();
}

function makeCustomers(random: Random, many: number): Row[] {
  return Array.from({ length: many }, (_, at) => {
    const [city, country] = random.pick(places);
    const name = `${random.pick(firstWords)} ${random.pick(secondWords)} ${random.pick(kinds)}`;
    return [at + 1, name, `accounts${at + 1}@customer.example`, city, country];
  });
}

function makeInvoices(random: Random, many: number, customers: number): Row[] {
  const first = Date.UTC(2024, 0, 8, 9);
  const spreadMs = 640 * 86_400_000;
  return Array.from({ length: many }, (_, at) => {
    const issued = new Date(first + Math.floor((at / many) * spreadMs));
    const due = new Date(issued.getTime() + 30 * 86_400_000);
    const status = at < many * 0.85 ? 'paid' : random.pick(['sent', 'sent', 'paid', 'draft']);
    const day = (date: Date) => date.toISOString().slice(0, 10);
    return [
      at + 1,
      random.between(1, customers),
      day(issued),
      day(due),
      status,
      random.pick(notes),
      issued.toISOString(),
    ];
  });
}

function makeLines(random: Random, invoices: readonly Row[]): Row[] {
  return invoices.flatMap(([invoice]) =>
    Array.from({ length: random.between(1, 5) }, (_, at): Row => {
      return [invoice!, at + 1, random.pick(items), random.between(1, 40), random.between(150, 90_000)];
    }),
  );
}

/** Upload `n` belongs to invoice `n`, so upload 1 and invoice 1 always have each other. */
async function writeUploads(random: Random, many: number, invoices: readonly Row[], folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const invoice of invoices.slice(0, many)) {
    const id = Number(invoice[0]);
    const time = String(invoice[6]);
    const bytes = id % 3 === 0 ? makePhoto(random) : makeReceipt(random, id);
    const kind = kindOf(bytes)!;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const path = uploadPath(id, time, sha256, kind.ending);
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
    const name = kind.ending === 'pdf' ? `receipt-${id}.pdf` : `quay-${id}.png`;
    rows.push([id, id, name, path, kind.contentType, bytes.length, sha256, time]);
  }
  return rows;
}

function makeReceipt(random: Random, invoice: number): Buffer {
  const lines = Array.from({ length: random.between(4, 30) }, (_, at) => {
    return `${at + 1}. berth ${random.between(1, 60)}, ${random.between(1, 400)} units, weighed ${random.next().toFixed(6)}`;
  });
  return makePdf(`Receipt for invoice ${invoice}`, lines);
}

/** Sea below, sky above, and grain as a camera has it, so that the file is of a real size. */
function makePhoto(random: Random): Buffer {
  const horizon = random.between(20, 50);
  const shade = random.between(0, 60);
  return makePng(96, 72, (_x, y) => {
    const grain = random.between(0, 15);
    const [red, green, blue] = y < horizon ? [150 + shade, 180, 215] : [20, 70 + shade, 105];
    return ((red! + grain) << 16) | ((green! + grain) << 8) | (blue! + grain);
  });
}

/** PostgreSQL counts on from where its sequence stands, whatever ids were inserted. */
async function continueNumbering(database: Database): Promise<void> {
  if (database.engine !== 'postgres') return;
  for (const table of ['users', 'customers', 'invoices', 'uploads']) {
    await database.query(
      `select setval(pg_get_serial_sequence('${table}', 'id'), (select coalesce(max(id), 0) + 1 from ${table}), false)`,
    );
  }
}
