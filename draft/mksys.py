import pathlib, numpy as np, sys, shutil, time
from hwgen.driver.program_data import program_of
from hwgen.soc.files import write_system
from hwgen.soc.compiler import riscv_compiler
from hwgen import verilog_files
from cosilico.accelerators import accelerator_argument
from sim.spec.design import load
from sim.realizability import map_realizable
p=pathlib.Path('/work/wt/soc-demo/design.json'); d=load(p); a=accelerator_argument(sys.argv[1])
m=map_realizable(a,d.network,1); x=np.load(p.parent/'test.npz')
o=pathlib.Path('/work/wt/soc-board'); shutil.rmtree(o,ignore_errors=True); o.mkdir()
t=time.time()
f=write_system(o,a,verilog_files.generate(a,version='0'),program_of(m),x['x'][:20],compiler=riscv_compiler(),clock_hz=25_000_000,baud=1_000_000)
print(f.config,f.firmware_bytes,time.time()-t)
