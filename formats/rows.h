/* rows.h -- the formats, one line each; of equal bids the earlier wins */
FORMAT(folder)
FORMAT(sharded)
FORMAT(safetensors)
FORMAT(npy)
FORMAT(npz)
FORMAT(torch)
FORMAT(torch_legacy)
FORMAT(torch_tar)
