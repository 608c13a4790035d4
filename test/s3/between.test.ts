import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { lifeboat, sealTo } from '../cli/lifeboat.ts';
import { temporaryFolder } from '../support/temp.ts';

/** Somebody on the way who answers in the bucket's place, with a certificate that they made for `name`. */
async function between(folder: string, name: string) {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=x', '-days', '2'];
  const words = ['req', '-x509', ...made, '-addext', `subjectAltName=${name}`, '-keyout', key, '-out', cert];
  execFileSync('openssl', words, { stdio: 'pipe' });
  const heard: string[] = [];
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, answer) => {
    heard.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    answer.writeHead(403).end();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { cert, heard, endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('TLS: whoever answers in a bucket’s place without its certificate is told nothing, and no command waits for them', async () => {
  const folder = await temporaryFolder();
  sealTo(folder, generateIdentity().recipient);
  const keys = { AWS_ACCESS_KEY_ID: 'who', AWS_SECRET_ACCESS_KEY: 'secret' };
  const plain = readFileSync(join(folder, 'lifeboat.yaml'), 'utf8');
  const asked = async (name: string, believed: boolean) => {
    const { cert, heard, endpoint } = await between(folder, name);
    const bucket = `{ type: s3, bucket: backups, region: x, endpoint: "${endpoint}" }`;
    writeFileSync(join(folder, 'lifeboat.yaml'), plain.replace('{ type: local, path: ./backups }', bucket));
    const ran = await lifeboat(folder, ['list'], { ...keys, ...(believed && { NODE_EXTRA_CA_CERTS: cert }) });
    return { heard, code: ran.code, said: ran.stdout + ran.stderr };
  };
  const unknown = await asked('IP:127.0.0.1', false);
  expect(unknown.heard).toEqual([]);
  expect(unknown.said).toMatch(/certificate/i);
  const ofAnother = await asked('DNS:elsewhere.example', true);
  expect(ofAnother.heard).toEqual([]);
  expect(ofAnother.said).toMatch(/certificate/i);
  // And with the right one, the same server is asked, and never told the secret.
  const right = await asked('IP:127.0.0.1', true);
  expect(right.heard.length).toBeGreaterThan(0);
  expect(right.heard.join()).not.toContain('secret');
  expect([unknown.code, ofAnother.code, right.code]).not.toContain(0);
});
