import { type Html, html } from './html.ts';
import type { Customer, findInvoice, InvoiceSummary, Totals } from './invoices.ts';
import { pageSize } from './invoices.ts';

type Invoice = NonNullable<Awaited<ReturnType<typeof findInvoice>>>;

/** The frame around every page. `user` is absent before signing in. */
export function page(title: string, body: Html, user?: string): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Harbor</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header>
<a class="brand" href="/">Harbor</a>
${
  user !== undefined &&
  html`<nav><a href="/invoices">Invoices</a><a href="/customers">Customers</a></nav>
<form method="post" action="/logout"><span>${user}</span><button class="quiet">Sign out</button></form>`
}
</header>
<main>
${body}
</main>
</body>
</html>
`.html;
}

export function loginPage(trouble?: string): Html {
  return html`<form class="card narrow" method="post" action="/login">
<h1>Sign in</h1>
${trouble !== undefined && html`<p class="trouble" role="alert">${trouble}</p>`}
<label>E-mail <input name="email" type="email" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button>
</form>`;
}

export function homePage(found: Totals): Html {
  return html`<h1>Today</h1>
<dl class="figures">
<div><dt>Open</dt><dd>${euros(found.open_cents)}</dd></div>
<div><dt>Invoices</dt><dd>${count(found.invoices)}</dd></div>
<div><dt>Customers</dt><dd>${count(found.customers)}</dd></div>
<div><dt>Documents</dt><dd>${count(found.uploads)}</dd></div>
</dl>
<p><a class="button" href="/invoices/new">New invoice</a></p>`;
}

export function customersPage(customers: readonly Customer[], at: number): Html {
  return html`<h1>Customers</h1>
<div class="scroll"><table>
<thead><tr><th>Name</th><th>E-mail</th><th>Place</th></tr></thead>
<tbody>
${customers.map(
  (customer) => html`<tr><td><a href="/invoices?customer=${customer.id}">${customer.name}</a></td>
<td>${customer.email}</td><td>${customer.city}, ${customer.country}</td></tr>
`,
)}</tbody>
</table></div>
${turns('/customers?', at, customers.length)}`;
}

export function invoicesPage(invoices: readonly InvoiceSummary[], at: number, customerId?: number): Html {
  return html`<div class="title"><h1>Invoices</h1><a class="button" href="/invoices/new">New invoice</a></div>
<div class="scroll"><table>
<thead><tr><th>Number</th><th>Customer</th><th>Issued</th><th>Due</th><th>Status</th><th class="amount">Total</th></tr></thead>
<tbody>
${invoices.map(
  (invoice) => html`<tr><td><a href="/invoices/${invoice.id}">${invoiceNumber(invoice.id)}</a></td>
<td>${invoice.customer}</td><td>${invoice.issued}</td><td>${invoice.due}</td><td>${badge(invoice.status)}</td>
<td class="amount">${euros(invoice.total_cents)}</td></tr>
`,
)}</tbody>
</table></div>
${turns(customerId === undefined ? '/invoices?' : `/invoices?customer=${customerId}&`, at, invoices.length)}`;
}

export function invoicePage(invoice: Invoice, trouble?: string): Html {
  return html`<div class="title"><h1>${invoiceNumber(invoice.id)}</h1>${badge(invoice.status)}</div>
<p>${invoice.customer}<br>issued ${invoice.issued}, due ${invoice.due}</p>
<div class="scroll"><table>
<thead><tr><th>Item</th><th class="amount">Quantity</th><th class="amount">Each</th><th class="amount">Amount</th></tr></thead>
<tbody>
${invoice.lines.map(
  (line) => html`<tr><td>${line.description}</td><td class="amount">${line.quantity}</td>
<td class="amount">${euros(line.unit_cents)}</td><td class="amount">${euros(line.quantity * line.unit_cents)}</td></tr>
`,
)}</tbody>
<tfoot><tr><th colspan="3">Total</th><td class="amount">${euros(invoice.total_cents)}</td></tr></tfoot>
</table></div>
${invoice.note !== '' && html`<p class="note">${invoice.note}</p>`}
<h2>Documents</h2>
${
  invoice.uploads.length === 0
    ? html`<p class="quiet">None yet.</p>`
    : html`<ul class="documents">
${invoice.uploads.map(
  (upload) => html`<li><a href="/uploads/${upload.id}">${upload.file_name}</a>
<span class="quiet">${upload.content_type}, ${(upload.size_bytes / 1024).toFixed(1)} KiB</span></li>
`,
)}</ul>`
}
<form class="card" method="post" action="/invoices/${invoice.id}/uploads" enctype="multipart/form-data">
${trouble !== undefined && html`<p class="trouble" role="alert">${trouble}</p>`}
<label>Add a PDF or an image <input name="document" type="file" accept="application/pdf,image/png,image/jpeg" required></label>
<button>Upload</button>
</form>`;
}

export function newInvoicePage(
  customers: readonly Pick<Customer, 'id' | 'name'>[],
  today: string,
  trouble?: string,
): Html {
  return html`<h1>New invoice</h1>
<form class="card" method="post" action="/invoices">
${trouble !== undefined && html`<p class="trouble" role="alert">${trouble}</p>`}
<label>Customer <select name="customer" required>
${customers.map((customer) => html`<option value="${customer.id}">${customer.name}</option>`)}
</select></label>
<div class="row">
<label>Issued <input name="issued" type="date" value="${today}" required></label>
<label>Due <input name="due" type="date" value="${today}" required></label>
</div>
<fieldset><legend>Lines</legend>
${[1, 2, 3, 4].map(
  (line) => html`<div class="row">
<label class="wide">Item <input name="description" ${line === 1 && html`required`}></label>
<label>Quantity <input name="quantity" type="number" min="1" max="100000" value="1"></label>
<label>Each, € <input name="price" inputmode="decimal" placeholder="0.00"></label>
</div>
`,
)}</fieldset>
<label>Note <input name="note"></label>
<button>Create invoice</button>
</form>`;
}

export function messagePage(title: string, text: string): Html {
  return html`<h1>${title}</h1><p>${text}</p>`;
}

function turns(address: string, at: number, shown: number): Html {
  return html`<p class="turns">${at > 1 && html`<a href="${address}page=${at - 1}">← Newer</a>`}
${shown === pageSize && html`<a href="${address}page=${at + 1}">More →</a>`}</p>`;
}

function badge(status: string): Html {
  return html`<span class="badge ${status}">${status}</span>`;
}

function invoiceNumber(id: number): string {
  return `INV-${String(id).padStart(5, '0')}`;
}

function euros(cents: number): string {
  return `€ ${(cents / 100).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

function count(many: number): string {
  return many.toLocaleString('en');
}
