import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { SftpOptions } from '../../src/destinations/options.ts';
import { openSftp } from '../../src/destinations/sftp/destination.ts';

/** A program for kill tests: puts objects named by their SHA-256 for ever, and prints each that it was told is safe. */
const destination = await openSftp(JSON.parse(process.env.SFTP_OPTIONS ?? '') as SftpOptions & { name: string });
const pool = randomBytes(2 << 20);

async function putForever(): Promise<never> {
  for (;;) {
    const body = Buffer.concat([randomBytes(16), pool.subarray(0, randomInt(pool.length))]);
    const sha256 = createHash('sha256').update(body).digest('hex');
    await destination.put(`packs/${sha256.slice(0, 2)}/${sha256}.age`, body);
    process.stdout.write(`${sha256}\n`);
  }
}

await Promise.all([putForever(), putForever(), putForever()]);
