/** The page's markup; script and style are files of their own, so that a policy without `unsafe-inline` holds. */
export const pageDocument = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Models</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<script src="page.js" defer></script>
</head>
<body>
<header>
<h1>Models</h1>
<form id="access" hidden>
<label for="key">API key</label>
<input id="key" type="password" autocomplete="off" spellcheck="false">
<button type="submit">Use</button>
</form>
<a href="openapi.json">OpenAPI</a>
</header>
<main>
<p id="status" role="status">Asking the server…</p>
<section id="choice" hidden>
<label for="model">Model</label>
<select id="model"></select>
<p id="facts"></p>
</section>
<form id="question" hidden></form>
<section id="answer" aria-live="polite"></section>
<details id="command" hidden><summary>The same from a shell</summary><pre></pre></details>
</main>
</body>
</html>
`;
