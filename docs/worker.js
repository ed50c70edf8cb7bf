// A page that is opened from a disk may not start a worker, so the search runs in a hidden frame instead.
// It takes the place of https://unpkg.com/iframe-worker/shim, which the theme would load from there.
if (location.protocol === "file:") {
  const post = (message) => parent.postMessage(message, "*");
  const load = (...urls) => urls.reduce((done, url) => done.then(() => new Promise((loaded) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = loaded;
    document.body.appendChild(script);
  })), Promise.resolve());

  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      this.ready = new Promise((loaded) => { this.frame.onload = loaded; });
      const inside = this.frame.contentWindow.document;
      inside.open();
      inside.write(`<html><body><script>postMessage=${post};importScripts=${load}</` + `script><script src="${url}"></` + `script></body></html>`);
      inside.close();
      window.addEventListener("message", (event) => {
        if (event.source === this.frame.contentWindow) {
          this.dispatchEvent(new MessageEvent("message", { data: event.data }));
          if (this.onmessage) this.onmessage(event);
        }
      });
    }
    postMessage(message) {
      const inside = this.frame.contentWindow;
      this.ready.then(() => inside.dispatchEvent(new inside.MessageEvent("message", { data: structuredClone(message) })));
    }
    terminate() { this.frame.remove(); }
  };
}
