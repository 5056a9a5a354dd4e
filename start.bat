@echo off
rem Windows: what `make run` does, without make and without administrator rights. Arguments are passed on:
rem     start.bat --port 8000
rem     start.bat --window     the page in a window of its own
rem Another build of PyTorch than the usual one, such as one for an NVIDIA card, is taken from the address in
rem TORCH_INDEX, and remembered.
setlocal
set "CODE="
pushd "%~dp0"
set "PY=.venv\Scripts\python.exe"
set "KEPT=.venv\torch-index.txt"

if exist "%PY%" goto torch
set "FOUND="
for %%V in (3.13 3.12 3.11) do if not defined FOUND py -%%V -c "" >nul 2>nul && set "FOUND=py -%%V"
if not defined FOUND call python -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" >nul 2>nul && set "FOUND=call python"
if not defined FOUND (
  echo Python 3.11, 3.12 or 3.13 is needed and was not found. Install it for yourself alone: no rights are needed.
  goto failed
)
echo Making the environment in .venv ...
%FOUND% -m venv .venv || goto failed

:torch
set "LAST="
if exist "%KEPT%" set /p LAST=<"%KEPT%"
if not defined TORCH_INDEX set "TORCH_INDEX=%LAST%"
if defined TORCH_INDEX goto chosen
nvidia-smi >nul 2>nul && (
  echo Warning: an NVIDIA card answers, but the usual PyTorch for Windows computes on the processor only.
  echo To use the card: stop, set TORCH_INDEX to the address of PyTorch's CUDA wheels as its install page gives it,
  echo and start again:   set TORCH_INDEX=address   and then   start.bat
)
goto install

:chosen
if "%TORCH_INDEX%"=="%LAST%" goto install
echo Installing the chosen build of PyTorch ...
"%PY%" -m pip install --quiet --disable-pip-version-check -c requirements.lock --no-deps --force-reinstall --index-url "%TORCH_INDEX%" torch || goto failed
>"%KEPT%" echo %TORCH_INDEX%

:install
rem The second start installs nothing, unless what is to be installed has changed.
fc /b requirements.lock .venv\installed.lock >nul 2>nul && fc /b pyproject.toml .venv\installed.toml >nul 2>nul && goto run
echo Installing what damgui needs ...
if defined TORCH_INDEX "%PY%" -m pip install --quiet --disable-pip-version-check -c requirements.lock --no-deps --index-url "%TORCH_INDEX%" torch || goto failed
"%PY%" -m pip install --quiet --disable-pip-version-check -c requirements.lock -e . || goto failed
copy /y requirements.lock .venv\installed.lock >nul
copy /y pyproject.toml .venv\installed.toml >nul

:run
"%PY%" app.py %*
set "CODE=%ERRORLEVEL%"
if not "%CODE%"=="0" goto failed
popd
exit /b 0

:failed
rem A window that was opened by a double click would close before anybody has read why.
if not defined CODE set "CODE=1"
popd
pause
exit /b %CODE%
