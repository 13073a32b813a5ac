const { js, wasm } = document.querySelector("script[data-js]").dataset;
try {
  const { default: init } = await import(js);
  await init({ module_or_path: wasm });
} catch (error) {
  const status = document.getElementById("status");
  status.textContent = String(error);
  status.className = "failed";
}
