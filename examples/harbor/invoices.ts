import type { Database, Query } from './database.ts';

export interface Customer {
  readonly id: number;
  readonly name: string;
  readonly email: string;
  readonly city: string;
  readonly country: string;
}

export type Status = 'draft' | 'sent' | 'paid';

export interface InvoiceSummary {
  readonly id: number;
  readonly customer_id: number;
  readonly customer: string;
  readonly issued: string;
  readonly due: string;
  readonly status: Status;
  readonly note: string;
  readonly total_cents: number;
}

export interface Line {
  readonly description: string;
  readonly quantity: number;
  readonly unit_cents: number;
}

export interface Upload {
  readonly id: number;
  readonly invoice_id: number;
  readonly file_name: string;
  /** Relative to UPLOADS_DIR. */
  readonly path: string;
  readonly content_type: string;
  readonly size_bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface InvoiceDraft {
  readonly customerId: number;
  readonly issued: string;
  readonly due: string;
  readonly note: string;
  readonly lines: readonly Line[];
}

export const pageSize = 25;

const totalCents =
  'coalesce((select sum(cast(l.quantity as bigint) * l.unit_cents) from invoice_lines l where l.invoice_id = i.id), 0)';
const summary = `select i.id, i.customer_id, c.name as customer, i.issued, i.due, i.status, i.note,
  ${totalCents} as total_cents from invoices i join customers c on c.id = i.customer_id`;

export async function findUser(database: Database, email: string) {
  const [user] = await database.query<{ id: number; name: string; password: string }>(
    'select id, name, password from users where email = $1',
    [email.trim().toLowerCase()],
  );
  return user;
}

export async function userName(database: Database, id: number): Promise<string | undefined> {
  const [user] = await database.query<{ name: string }>('select name from users where id = $1', [id]);
  return user?.name;
}

export interface Totals {
  readonly customers: number;
  readonly invoices: number;
  readonly uploads: number;
  readonly open_cents: number;
}

export async function totals(database: Database): Promise<Totals> {
  const [row] = await database.query<Totals>(`select
    (select count(*) from customers) as customers,
    (select count(*) from invoices) as invoices,
    (select count(*) from uploads) as uploads,
    coalesce((select sum(cast(l.quantity as bigint) * l.unit_cents) from invoices i join invoice_lines l on l.invoice_id = i.id
      where i.status = 'sent'), 0) as open_cents`);
  return row!;
}

export async function listCustomers(database: Database, page: number): Promise<Customer[]> {
  return database.query('select id, name, email, city, country from customers order by name, id limit $1 offset $2', [
    pageSize,
    (page - 1) * pageSize,
  ]);
}

export async function customerExists(database: Database, id: number): Promise<boolean> {
  return (await database.query('select 1 from customers where id = $1', [id])).length > 0;
}

export async function customerNames(database: Database): Promise<Pick<Customer, 'id' | 'name'>[]> {
  return database.query('select id, name from customers order by name, id limit 1000');
}

export async function listInvoices(database: Database, page: number, customerId?: number): Promise<InvoiceSummary[]> {
  const values = [pageSize, (page - 1) * pageSize];
  const order = 'order by i.issued desc, i.id desc limit $1 offset $2';
  return customerId === undefined
    ? database.query(`${summary} ${order}`, values)
    : database.query(`${summary} where i.customer_id = $3 ${order}`, [...values, customerId]);
}

export async function findInvoice(database: Database, id: number) {
  const [invoice] = await database.query<InvoiceSummary>(`${summary} where i.id = $1`, [id]);
  if (!invoice) return undefined;
  const lines = await database.query<Line>(
    'select description, quantity, unit_cents from invoice_lines where invoice_id = $1 order by position',
    [id],
  );
  const uploads = await database.query<Upload>('select * from uploads where invoice_id = $1 order by id', [id]);
  return { ...invoice, lines, uploads };
}

/** The invoice and all its lines, or nothing. Returns its id. */
export async function createInvoice(database: Database, draft: InvoiceDraft, now: Date): Promise<number> {
  return database.transaction(async (query) => {
    const [row] = await query<{ id: number }>(
      `insert into invoices (customer_id, issued, due, status, note, created_at)
       values ($1, $2, $3, 'sent', $4, $5) returning id`,
      [draft.customerId, draft.issued, draft.due, draft.note, now.toISOString()],
    );
    const rows = draft.lines.map((line, at) => [row!.id, at + 1, line.description, line.quantity, line.unit_cents]);
    await insertRows(query, 'invoice_lines (invoice_id, position, description, quantity, unit_cents)', rows);
    return row!.id;
  });
}

export async function recordUpload(database: Database, upload: Omit<Upload, 'id'>, now: Date): Promise<number> {
  const [row] = await database.query<{ id: number }>(
    `insert into uploads (invoice_id, file_name, path, content_type, size_bytes, sha256, created_at)
     values ($1, $2, $3, $4, $5, $6, $7) returning id`,
    [
      upload.invoice_id,
      upload.file_name,
      upload.path,
      upload.content_type,
      upload.size_bytes,
      upload.sha256,
      now.toISOString(),
    ],
  );
  return row!.id;
}

export async function findUpload(database: Database, id: number): Promise<Upload | undefined> {
  const [upload] = await database.query<Upload>('select * from uploads where id = $1', [id]);
  return upload;
}

/** Inserts many rows with few statements. `into` is `table (column, …)`. */
export async function insertRows(
  query: Query,
  into: string,
  rows: readonly (readonly (string | number | null)[])[],
): Promise<void> {
  const perStatement = 500;
  for (let from = 0; from < rows.length; from += perStatement) {
    const some = rows.slice(from, from + perStatement);
    let parameter = 0;
    const places = some.map((row) => `(${row.map(() => `$${++parameter}`).join(', ')})`);
    await query(`insert into ${into} values ${places.join(', ')}`, some.flat());
  }
}
