import { createHash } from 'node:crypto';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Database } from './database.ts';
import { recordUpload } from './invoices.ts';

const kinds = [
  { contentType: 'application/pdf', ending: 'pdf', magic: Buffer.from('%PDF-') },
  { contentType: 'image/png', ending: 'png', magic: Buffer.from('89504e470d0a1a0a', 'hex') },
  { contentType: 'image/jpeg', ending: 'jpg', magic: Buffer.from('ffd8ff', 'hex') },
];

/** What the bytes are, by their first bytes: a browser's word for it is not enough to serve them again. */
export function kindOf(bytes: Uint8Array) {
  return kinds.find((kind) => kind.magic.equals(bytes.subarray(0, kind.magic.length)));
}

/**
 * Stores a document of an invoice and returns its id; undefined when it is neither a PDF nor an image. The file is whole
 * and durable before the database refers to it, so a reference without its file means that something was lost.
 */
export async function storeUpload(
  database: Database,
  uploadsDir: string,
  document: { invoiceId: number; fileName: string; bytes: Uint8Array },
  now: Date,
): Promise<number | undefined> {
  const kind = kindOf(document.bytes);
  if (!kind) return undefined;
  const sha256 = createHash('sha256').update(document.bytes).digest('hex');
  const path = uploadPath(document.invoiceId, now.toISOString(), sha256, kind.ending);
  await writeWhole(join(uploadsDir, path), document.bytes);
  return recordUpload(
    database,
    {
      invoice_id: document.invoiceId,
      file_name: document.fileName,
      path,
      content_type: kind.contentType,
      size_bytes: document.bytes.length,
      sha256,
    },
    now,
  );
}

/** `2026/11/000042-3f9a….pdf`: by month, so that no folder grows without end. */
export function uploadPath(invoiceId: number, time: string, sha256: string, ending: string): string {
  const stamp = time.replace(/\D/g, '').slice(6, 17);
  const name = `${String(invoiceId).padStart(6, '0')}-${stamp}-${sha256.slice(0, 16)}.${ending}`;
  return `${time.slice(0, 4)}/${time.slice(5, 7)}/${name}`;
}

async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true });
  const unfinished = `${file}.part`;
  const handle = await open(unfinished, 'w');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(unfinished, file);
}
