import { createHmac, timingSafeEqual } from 'node:crypto';

const cookieName = 'harbor_session';
const lifetimeSeconds = 12 * 3600;

/** The Set-Cookie header of a signed-in user: the id and the end, signed; nothing is kept on the server. */
export function sessionCookie(userId: number, secret: string, nowMs: number): string {
  const body = `${userId}.${Math.floor(nowMs / 1000) + lifetimeSeconds}`;
  const value = `${body}.${sign(body, secret)}`;
  return `${cookieName}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${lifetimeSeconds}`;
}

export const endedCookie = `${cookieName}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`;

/** The user id in a request's Cookie header, if the signature fits and the session has not ended. */
export function sessionUser(cookies: string | undefined, secret: string, nowMs: number): number | undefined {
  const cookie = cookies?.split(';').find((part) => part.trim().startsWith(`${cookieName}=`));
  const [id, end, signature] =
    cookie
      ?.trim()
      .slice(cookieName.length + 1)
      .split('.') ?? [];
  if (!id || !end || !signature) return undefined;
  const expected = Buffer.from(sign(`${id}.${end}`, secret));
  const actual = Buffer.from(signature);
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual)) return undefined;
  return Number(end) * 1000 > nowMs ? Number(id) : undefined;
}

function sign(body: string, secret: string): string {
  return createHmac('sha256', secret).update(body).digest('base64url');
}
