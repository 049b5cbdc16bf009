import sys, pathlib, time
from hwgen import yosys
d=pathlib.Path(sys.argv[1]); t=time.time()
files=[l for l in (d/'rtl'/'cosilico.f').read_text().split()]
print(len(files))
import os; os.chdir(d)
log=yosys.run([*(f"read_verilog -defer rtl/{f}" for f in files),"synth_ecp5 -top cosilico_system -json /tmp/soc_ecp5.json","tee -o /tmp/soc_stat.txt stat"])
open('/tmp/soc_synth.log','w').write(log)
print(time.time()-t)
