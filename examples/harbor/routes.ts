import { createReadStream, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Database } from './database.ts';
import { readDraft } from './draft.ts';
import type { Html } from './html.ts';
import * as invoices from './invoices.ts';
import { parseMultipart } from './multipart.ts';
import * as pages from './pages.ts';
import { passwordFits } from './passwords.ts';
import { endedCookie, sessionCookie, sessionUser } from './session.ts';
import type { Settings } from './settings.ts';
import { storeUpload } from './uploads.ts';

export interface Harbor {
  readonly database: Database;
  readonly settings: Settings;
}

interface Visit extends Harbor {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** What the route's pattern found. */
  readonly id: number;
  /** The signed-in user's name; empty on open routes. */
  readonly user: string;
}

interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: RegExp;
  readonly open?: true;
  readonly answer: (visit: Visit) => Promise<void>;
}

const formLimitBytes = 64 * 1024;
const uploadLimitBytes = 10 * 1024 * 1024;
const style = readFileSync(join(import.meta.dirname, 'style.css'));

const routes: readonly Route[] = [
  { method: 'GET', path: /^\/health$/, open: true, answer: health },
  { method: 'GET', path: /^\/style\.css$/, open: true, answer: showStyle },
  { method: 'GET', path: /^\/login$/, open: true, answer: async (visit) => show(visit, 'Sign in', pages.loginPage()) },
  { method: 'POST', path: /^\/login$/, open: true, answer: signIn },
  { method: 'POST', path: /^\/logout$/, open: true, answer: signOut },
  { method: 'GET', path: /^\/$/, answer: home },
  { method: 'GET', path: /^\/customers$/, answer: showCustomers },
  { method: 'GET', path: /^\/invoices$/, answer: showInvoices },
  { method: 'GET', path: /^\/invoices\/new$/, answer: (visit) => showDraft(visit, 200) },
  { method: 'POST', path: /^\/invoices$/, answer: addInvoice },
  { method: 'GET', path: /^\/invoices\/(\d{1,9})$/, answer: (visit) => showInvoice(visit, 200) },
  { method: 'POST', path: /^\/invoices\/(\d{1,9})\/uploads$/, answer: addUpload },
  { method: 'GET', path: /^\/uploads\/(\d{1,9})$/, answer: sendUpload },
];

/** A request that cannot be answered as asked: shown to the visitor, not a fault of the application. */
class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function handle(harbor: Harbor, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await answer(harbor, request, response);
  } catch (error) {
    // The visitor closed the page while a document was still on its way.
    if (response.headersSent && request.socket.destroyed) return;
    const status = error instanceof Refused ? error.status : 500;
    if (status === 500)
      console.error(`${request.method} ${request.url}: ${error instanceof Error ? error.stack : error}`);
    if (response.headersSent) return void response.destroy();
    const text = status === 500 ? 'Something went wrong. It was written to the log.' : String((error as Error).message);
    send(response, status, pages.page(String(status), pages.messagePage(`Error ${status}`, text)));
  }
}

async function answer(harbor: Harbor, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  const found = routes.filter((route) => route.path.test(url.pathname));
  if (found.length === 0) throw new Refused(404, 'There is no such page.');
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = found.find((candidate) => candidate.method === method);
  if (!route) throw new Refused(405, 'This page does not take that method.');
  if (method === 'POST') refuseOtherSites(request);

  const { database, settings } = harbor;
  const userId = route.open ? undefined : sessionUser(request.headers.cookie, settings.sessionSecret, Date.now());
  const user = userId === undefined ? undefined : await invoices.userName(database, userId);
  if (!route.open && user === undefined) return redirect(response, '/login');
  const id = Number(route.path.exec(url.pathname)?.[1] ?? 0);
  await route.answer({ ...harbor, request, response, url, id, user: user ?? '' });
}

/** Browsers say where a form came from; a form of another site must not act in this one's name. */
function refuseOtherSites(request: IncomingMessage): void {
  const { origin, host } = request.headers;
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    throw new Refused(403, 'This form came from another site.');
  }
}

async function health({ database, response }: Visit): Promise<void> {
  try {
    const { invoices: many } = await invoices.totals(database);
    send(response, 200, JSON.stringify({ ok: true, engine: database.engine, invoices: many }), 'application/json');
  } catch (error) {
    console.error(`health: ${error instanceof Error ? error.message : error}`);
    send(response, 503, JSON.stringify({ ok: false, engine: database.engine }), 'application/json');
  }
}

async function showStyle({ response }: Visit): Promise<void> {
  send(response, 200, style, 'text/css; charset=utf-8');
}

async function signIn(visit: Visit): Promise<void> {
  const { database, settings, request, response } = visit;
  const form = await readForm(request);
  const user = await invoices.findUser(database, form.get('email') ?? '');
  if (!user || !(await passwordFits(form.get('password') ?? '', user.password))) {
    return show(visit, 'Sign in', pages.loginPage('That e-mail and password do not fit.'), 401);
  }
  response.setHeader('set-cookie', sessionCookie(user.id, settings.sessionSecret, Date.now()));
  redirect(response, '/');
}

async function signOut({ response }: Visit): Promise<void> {
  response.setHeader('set-cookie', endedCookie);
  redirect(response, '/login');
}

async function home(visit: Visit): Promise<void> {
  show(visit, 'Today', pages.homePage(await invoices.totals(visit.database)));
}

async function showCustomers(visit: Visit): Promise<void> {
  const at = pageAsked(visit.url);
  show(visit, 'Customers', pages.customersPage(await invoices.listCustomers(visit.database, at), at));
}

async function showInvoices(visit: Visit): Promise<void> {
  const at = pageAsked(visit.url);
  const customer = /^\d{1,9}$/.exec(visit.url.searchParams.get('customer') ?? '')?.[0];
  const customerId = customer === undefined ? undefined : Number(customer);
  const found = await invoices.listInvoices(visit.database, at, customerId);
  show(visit, 'Invoices', pages.invoicesPage(found, at, customerId));
}

async function showInvoice(visit: Visit, status: number, trouble?: string): Promise<void> {
  const invoice = await invoices.findInvoice(visit.database, visit.id);
  if (!invoice) throw new Refused(404, 'There is no such invoice.');
  show(visit, `Invoice ${invoice.id}`, pages.invoicePage(invoice, trouble), status);
}

async function showDraft(visit: Visit, status: number, trouble?: string): Promise<void> {
  const customers = await invoices.customerNames(visit.database);
  const today = new Date().toISOString().slice(0, 10);
  show(visit, 'New invoice', pages.newInvoicePage(customers, today, trouble), status);
}

async function addInvoice(visit: Visit): Promise<void> {
  const draft = readDraft(await readForm(visit.request));
  if (typeof draft === 'string') return showDraft(visit, 422, draft);
  if (!(await invoices.customerExists(visit.database, draft.customerId))) {
    return showDraft(visit, 422, 'There is no such customer.');
  }
  redirect(visit.response, `/invoices/${await invoices.createInvoice(visit.database, draft, new Date())}`);
}

async function addUpload(visit: Visit): Promise<void> {
  const { database, settings, request, response, id } = visit;
  const body = await readBody(request, uploadLimitBytes);
  if (!(await invoices.findInvoice(database, id))) throw new Refused(404, 'There is no such invoice.');
  let file: ReturnType<typeof parseMultipart>[number] | undefined;
  try {
    file = parseMultipart(request.headers['content-type'], body).find((part) => part.name === 'document');
  } catch (error) {
    throw new Refused(400, `The upload could not be read: ${(error as Error).message}.`);
  }
  if (!file?.fileName) return showInvoice(visit, 422, 'Choose a file first.');
  const document = { invoiceId: id, fileName: file.fileName.slice(0, 200), bytes: file.bytes };
  const upload = await storeUpload(database, settings.uploadsDir, document, new Date());
  if (upload === undefined) return showInvoice(visit, 415, 'Only PDF, PNG and JPEG files can be added.');
  redirect(response, `/invoices/${id}`);
}

async function sendUpload({ database, settings, request, response, id }: Visit): Promise<void> {
  const upload = await invoices.findUpload(database, id);
  if (!upload) throw new Refused(404, 'There is no such document.');
  const file = join(settings.uploadsDir, upload.path);
  // A reference without its file is a loss, and must not look like a page that never was.
  const found = await stat(file).catch(() => undefined);
  if (found?.size !== upload.size_bytes) throw new Error(`upload ${id}: ${upload.path} is missing or cut short`);
  response.writeHead(200, {
    'content-type': upload.content_type,
    'content-length': upload.size_bytes,
    'content-disposition': `inline; filename*=UTF-8''${encodeURIComponent(upload.file_name)}`,
    'cache-control': 'private, max-age=3600',
    'x-content-type-options': 'nosniff',
    etag: `"${upload.sha256}"`,
  });
  if (request.method === 'HEAD') return void response.end();
  await pipeline(createReadStream(file), response);
}

function pageAsked(url: URL): number {
  return Math.min(Math.max(Number.parseInt(url.searchParams.get('page') ?? '1', 10) || 1, 1), 100_000);
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  return new URLSearchParams((await readBody(request, formLimitBytes)).toString('utf8'));
}

async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  // What is too much is read to its end and dropped: a browser that cannot finish sending never sees the answer.
  for await (const piece of request as AsyncIterable<Buffer>) {
    sizeBytes += piece.length;
    if (sizeBytes <= limitBytes) pieces.push(piece);
    if (sizeBytes > 8 * limitBytes) break;
  }
  if (sizeBytes > limitBytes) throw new Refused(413, `That is more than ${limitBytes / 1024} KiB.`);
  return Buffer.concat(pieces);
}

function show(visit: Visit, title: string, body: Html, status = 200): void {
  send(visit.response, status, pages.page(title, body, visit.user === '' ? undefined : visit.user));
}

function send(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  type = 'text/html; charset=utf-8',
): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'content-security-policy': "default-src 'self'; form-action 'self'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(303, { location, 'content-length': 0 }).end();
}
