import pathlib, sys, time, shutil, json
from hwgen.soc.bitstream import implement, BOARD_FOLDER
from hwgen.soc.boards import ULX3S_85F
from hwgen.soc.files import SystemFiles
from hwgen.soc.system_map import SystemConfig
from cosilico.accelerators import accelerator_argument
o=pathlib.Path('/work/wt/soc-board')
c=SystemConfig(accelerator=accelerator_argument(sys.argv[1]),rom_bytes=32768,ram_bytes=32768,clock_hz=25_000_000,baud=1_000_000)
f=SystemFiles(folder=o,config=c,verilog=tuple(o/'rtl'/n for n in (o/'rtl'/'cosilico.f').read_text().split()),firmware_bytes=27276)
shutil.rmtree(o/BOARD_FOLDER,ignore_errors=True)
t=time.time()
i=implement(f,ULX3S_85F); print(json.dumps(i.to_json()), time.time()-t)
