// What the scripts of a site that was deployed with the target `web` are made of: for browsers only.
export { type ServiceWorkerOptions, startServiceWorker } from './page/service-worker.js';
export { type PageOptions, startPage } from './page/start-page.js';
