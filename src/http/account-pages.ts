// The pages that mails link to: `/account/verify#<token>` and `/account/reset#<token>`. The token stands behind the `#`, so
// browsers send it nowhere but in the request that the reader asks for: a program that follows links uses nothing up.

import { Elysia } from 'elysia';
import { pageHeaders } from './headers.ts';

const page = (title: string, form: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="/swagger/favicon-32x32.png">
<link rel="stylesheet" href="/account/style.css">
</head>
<body>
<main>
<h1>${title}</h1>
<form>
${form}
</form>
<p role="status"></p>
<noscript>This page needs JavaScript.</noscript>
</main>
<script src="/account/start.js"></script>
</body>
</html>
`;

const pages = {
  verify: page('Your e-mail address', '<button>Confirm that it is mine</button>'),
  reset: page(
    'A new password',
    `<label>New password, 10 characters or more
<input name="password" type="password" autocomplete="new-password" minlength="10" maxlength="128" required></label>
<button>Set the password</button>`,
  ),
};

// Files of their own: the policy allows nothing inline.
const script = `const [form, status] = ['form', '[role=status]'].map((which) => document.querySelector(which));
const token = location.hash.slice(1);
const path = location.pathname.endsWith('/reset') ? '/v1/auth/password/reset' : '/v1/auth/verify';
history.replaceState(null, '', location.pathname); // it stays in no history
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ token, ...Object.fromEntries(new FormData(form)) });
  const headers = { 'Content-Type': 'application/json' };
  try {
    const answer = await fetch(path, { method: 'POST', headers, body });
    form.hidden = answer.ok;
    status.textContent = answer.ok ? 'Done. You can close this page.' : (await answer.json()).error.message;
  } catch {
    status.textContent = 'The server did not answer. Try again.';
  }
});
`;

const style = `body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 26rem; margin: 12vh auto; padding: 0 1rem; }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input, button { padding: 0.5rem; margin: 0.5rem 0 1rem; }
form[hidden] { display: none; }
`;

export function createAccountPages() {
  const typed = (type: string) => ({ headers: { 'content-type': type } });
  const routes = new Elysia({ prefix: '/account', normalize: false })
    .get('/start.js', () => new Response(script, typed('text/javascript; charset=utf-8')))
    .get('/style.css', () => new Response(style, typed('text/css; charset=utf-8')));
  for (const [name, text] of Object.entries(pages)) {
    routes.get(`/${name}`, () => new Response(text, { headers: pageHeaders() }));
  }
  return routes;
}
