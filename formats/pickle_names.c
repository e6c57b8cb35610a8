/* pickle_names.c -- what the names mean that a pickle imports, and how much harm a call of them could do */
#include "pickle_names.h"
#include "../lib/dtype.h"

#include <string.h>
#include <strings.h>

/* ---- Python 2 names ---- */

typedef struct pair {
	const char *from, *to;
} pair;

static const pair modules2[] = {
	{"__builtin__", "builtins"},
	{"copy_reg", "copyreg"},
	{"cPickle", "pickle"},
	{"Queue", "queue"},
	{"repr", "reprlib"},
	{"commands", "subprocess"},
	{"exceptions", "builtins"},
	{"thread", "_thread"},
	{"StringIO", "io"},
	{"cStringIO", "io"},
	{"UserDict", "collections"},
	{"UserList", "collections"},
	{"UserString", "collections"},
	{"_abcoll", "collections.abc"},
	{"whichdb", "dbm"},
	{"urllib2", "urllib"},
	{"httplib", "http"},
	{"popen2", "subprocess"},
	{"SocketServer", "socketserver"},
	{"imp", "importlib"},
};

static const char *module3(const char *module)
{
	for (size_t i = 0; i < sizeof modules2 / sizeof *modules2; i++)
		if (strcmp(module, modules2[i].from) == 0) return modules2[i].to;
	return module;
}

/* ---- roles ---- */

typedef struct role_row {
	const char *module, *name;
	ckpt_pickle_role role;
} role_row;

/* Known names; a name alone stands for the module above it. */
static const role_row known[] = {
	{"torch._utils", "_rebuild_tensor_v2", CKPT_ROLE_REBUILD_V2},
	{"torch._utils", "_rebuild_tensor", CKPT_ROLE_REBUILD_V1},
	{"torch._utils", "_rebuild_tensor_v3", CKPT_ROLE_REBUILD_V3},
	{"torch._utils", "_rebuild_parameter", CKPT_ROLE_REBUILD_PARAMETER},
	{"torch._utils", "_rebuild_parameter_with_state", CKPT_ROLE_REBUILD_PARAMETER_STATE},
	{"torch._utils", "_rebuild_qtensor", CKPT_ROLE_REBUILD_QTENSOR},
	{"torch._utils", "_rebuild_sparse_tensor", CKPT_ROLE_REBUILD_SPARSE},
	{"torch._utils", "_rebuild_sparse_csr_tensor", CKPT_ROLE_REBUILD_SPARSE_CSR},
	{"torch._utils", "_rebuild_nested_tensor", CKPT_ROLE_REBUILD_NESTED},
	{"torch._utils", "_rebuild_meta_tensor_no_storage", CKPT_ROLE_REBUILD_META},
	{"torch._utils", "_rebuild_device_tensor_from_numpy", CKPT_ROLE_REBUILD_FROM_NUMPY},
	{"torch._utils", "_rebuild_xla_tensor", CKPT_ROLE_REBUILD_FROM_NUMPY},
	{"torch._utils", "_rebuild_device_tensor_from_cpu_tensor", CKPT_ROLE_REBUILD_FROM_CPU},
	{"torch._utils", "_rebuild_wrapper_subclass", CKPT_ROLE_REBUILD_WRAPPER},
	{"collections", "OrderedDict", CKPT_ROLE_ORDERED_DICT},
	{"collections", "Counter", CKPT_ROLE_DICT},
	{"collections", "defaultdict", CKPT_ROLE_DICT},
	{"_codecs", "encode", CKPT_ROLE_ENCODE},
	{"builtins", "set", CKPT_ROLE_SET},
	{"builtins", "frozenset", CKPT_ROLE_SET},
	{"builtins", "bytearray", CKPT_ROLE_NONE},
	{"builtins", "bytes", CKPT_ROLE_NONE},
	{"builtins", "complex", CKPT_ROLE_NONE},
	{"builtins", "list", CKPT_ROLE_NONE},
	{"builtins", "dict", CKPT_ROLE_NONE},
	{"builtins", "tuple", CKPT_ROLE_NONE},
	{"builtins", "int", CKPT_ROLE_NONE},
	{"builtins", "long", CKPT_ROLE_NONE},
	{"builtins", "float", CKPT_ROLE_NONE},
	{"builtins", "str", CKPT_ROLE_NONE},
	{"builtins", "bool", CKPT_ROLE_NONE},
	{"builtins", "slice", CKPT_ROLE_NONE},
	{"builtins", "range", CKPT_ROLE_NONE},
	{"builtins", "xrange", CKPT_ROLE_NONE},
	{"argparse", "Namespace", CKPT_ROLE_NONE},
	{"types", "SimpleNamespace", CKPT_ROLE_NONE},
	{"datetime", "datetime", CKPT_ROLE_NONE},
	{"datetime", "date", CKPT_ROLE_NONE},
	{"datetime", "time", CKPT_ROLE_NONE},
	{"datetime", "timedelta", CKPT_ROLE_NONE},
	{"datetime", "timezone", CKPT_ROLE_NONE},
	{"torch", "Size", CKPT_ROLE_SIZE},
	{"torch", "device", CKPT_ROLE_NONE},
	{"torch", "Tensor", CKPT_ROLE_TENSOR_CLASS},
	{"torch.nn.parameter", "Parameter", CKPT_ROLE_PARAMETER},
	{"torch.nn.parameter", "Buffer", CKPT_ROLE_PARAMETER},
	{"torch.serialization", "_get_layout", CKPT_ROLE_NONE},
	{"torch", "per_tensor_affine", CKPT_ROLE_NONE},
	{"torch", "per_channel_affine", CKPT_ROLE_NONE},
	{"torch", "per_channel_affine_float_qparams", CKPT_ROLE_NONE},
	{"torch", "per_tensor_symmetric", CKPT_ROLE_NONE},
	{"torch", "per_channel_symmetric", CKPT_ROLE_NONE},
	{"torch.jit._pickle", "build_intlist", CKPT_ROLE_JIT_LIST},
	{"torch.jit._pickle", "build_tensorlist", CKPT_ROLE_JIT_LIST},
	{"torch.jit._pickle", "build_doublelist", CKPT_ROLE_JIT_LIST},
	{"torch.jit._pickle", "build_boollist", CKPT_ROLE_JIT_LIST},
	{"torch.jit._pickle", "restore_type_tag", CKPT_ROLE_JIT_LIST},
	{"torch.jit._pickle", "build_tensor_from_id", CKPT_ROLE_NONE},
};

/* Names that have a role, but may hold classes that the loader does not know. */
static const role_row unknown[] = {
	{"torch._tensor", "_rebuild_from_type_v2", CKPT_ROLE_REBUILD_FROM_TYPE},
	{"torch._tensor", "_rebuild_from_type", CKPT_ROLE_REBUILD_FROM_TYPE},
	{"torch.tensor", "_rebuild_from_type_v2", CKPT_ROLE_REBUILD_FROM_TYPE},
	{"torch.tensor", "_rebuild_from_type", CKPT_ROLE_REBUILD_FROM_TYPE},
};

static const role_row *find_row(const role_row *rows, size_t count, const char *module, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0 && strcmp(rows[i].module, module) == 0) return &rows[i];
	return NULL;
}

/* torch.FloatStorage, torch.cuda.HalfStorage, torch.storage.UntypedStorage; the device does not matter. */
static bool storage_class(const char *module, const char *name, ckpt_dtype *dtype)
{
	if (strcmp(module, "torch") != 0 && strcmp(module, "torch.cuda") != 0 && strcmp(module, "torch.storage") != 0)
		return false;
	if (strcmp(name, "UntypedStorage") == 0 || strcmp(name, "TypedStorage") == 0) {
		*dtype = CKPT_U8;
		return true;
	}
	*dtype = ckpt_dtype_from_storage(name);
	return *dtype != CKPT_DTYPE_NONE && strcmp(module, "torch.storage") != 0;
}

static bool tensor_class(const char *module, const char *name)
{
	static const char *const types[] = {"Float", "Double", "Half", "BFloat16", "Long",
	                                    "Int",   "Short",  "Char", "Byte",     "Bool"};
	if (strcmp(module, "torch") != 0 && strcmp(module, "torch.cuda") != 0) return false;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		size_t n = strlen(types[i]);
		if (strncmp(name, types[i], n) == 0 && strcmp(name + n, "Tensor") == 0) return true;
	}
	return false;
}

static bool jit_class(const char *module)
{
	return strncmp(module, "__torch__", 9) == 0 && (!module[9] || module[9] == '.');
}

ckpt_pickle_role ckpt_pickle_name_role(const char *module, const char *name, ckpt_dtype *dtype)
{
	ckpt_dtype none;
	const role_row *row;
	if (!dtype) dtype = &none;
	*dtype = CKPT_DTYPE_NONE;
	module = module3(module);
	if ((row = find_row(known, sizeof known / sizeof *known, module, name))) return row->role;
	if ((row = find_row(unknown, sizeof unknown / sizeof *unknown, module, name))) return row->role;
	if (storage_class(module, name, dtype)) return CKPT_ROLE_STORAGE;
	if (tensor_class(module, name)) return CKPT_ROLE_TENSOR_CLASS;
	if (strcmp(module, "torch") == 0) {
		*dtype = ckpt_dtype_from_torch(name);
		if (*dtype != CKPT_DTYPE_NONE) return CKPT_ROLE_DTYPE;
	}
	return jit_class(module) ? CKPT_ROLE_JIT_CLASS : CKPT_ROLE_NONE;
}

/* ---- harm ---- */

/* Modules of which every name is dangerous, submodules included. */
static const char dangerous_modules[] =
	"os posix nt subprocess _posixsubprocess sys pty commands popen2 shutil socket _socket ssl _ssl "
	"socketserver asyncio _asyncio multiprocessing _multiprocessing threading _thread signal _signal "
	"ctypes _ctypes cffi _cffi_backend mmap gc inspect importlib imp _imp _frozen_importlib "
	"_frozen_importlib_external pkgutil zipimport runpy code codeop compileall py_compile marshal dis bdb "
	"pdb cProfile _lsprof profile timeit trace doctest unittest test idlelib lib2to3 pydoc pip ensurepip "
	"setuptools distutils venv site pickle _pickle cPickle dill cloudpickle joblib shelve dbm webbrowser "
	"http httplib urllib urllib2 urllib3 requests aiohttp httpx ftplib smtplib imaplib poplib nntplib "
	"telnetlib xmlrpc tempfile fileinput glob pathlib tarfile zipfile sqlite3 _sqlite3 logging syslog "
	"atexit platform uuid linecache pipes pexpect _osx_support _aix_support _pyrepl _interpreters "
	"_xxsubinterpreters picklescan fickling modelscan modelaudit hayward saferpickle copyreg nturl2path "
	"selectors select fcntl resource pwd winreg _winapi msilib antigravity rlcompleter readline symtable "
	"tracemalloc faulthandler sched concurrent cgi cgitb cmd wsgiref turtle tkinter curses mailcap "
	"mailbox netrc getpass IPython jupyter_client ipykernel paramiko fabric invoke plumbum sh psutil "
	"numexpr execnet";

/* Modules below which every name is dangerous, though their parents are not. */
static const char dangerous_submodules[] =
	"numpy.f2py numpy.distutils numpy.ctypeslib numpy.testing torch.hub torch.jit torch.package "
	"torch._dynamo torch._inductor torch.utils.cpp_extension torch.utils.bottleneck "
	"torch.utils._config_module torch.utils.data.datapipes.utils.decoder torch.serialization "
	"torch.distributed.rpc torch.multiprocessing torch.distributed.run torch.distributed.launch "
	"torch.distributed.elastic torch._export torch.utils.model_zoo torch._ops torch._classes "
	"tensorflow.io keras.io";

typedef struct danger {
	const char *module; /* first component, or the whole when it holds a dot */
	const char *names;  /* separated by spaces; NAME* is a prefix */
} danger;

static const danger dangerous_names[] = {
	{"builtins",
	"eval exec execfile compile open file input raw_input breakpoint __import__ getattr setattr delattr hasattr "
	"vars globals locals dir apply memoryview type object super classmethod staticmethod property callable "
	"map filter help exit quit reload intern __build_class__ __loader__ __spec__"},
	{"operator", "attrgetter itemgetter methodcaller call"},
	{"_operator", "attrgetter itemgetter methodcaller call"},
	{"functools", "partial reduce partialmethod singledispatch cached_property"},
	{"_functools", "partial reduce"},
	{"itertools", "starmap"},
	{"types",
	"CodeType FunctionType LambdaType ModuleType MethodType BuiltinFunctionType DynamicClassAttribute new_class "
	"coroutine"},
	{"io", "open open_code FileIO OpenWrapper"},
	{"_io", "open open_code FileIO OpenWrapper"},
	{"weakref", "finalize"},
	{"numpy",
	"load fromfile memmap save savez savez_compressed savetxt loadtxt genfromtxt runstring DataSource open_memmap "
	"fromregex recfromtxt recfromcsv"},
	{"pandas", "eval read_* HDFStore ExcelFile ExcelWriter to_*"},
	{"torch", "load save compile load_library import_ir_module evaluate_guards_expression _load_from_bytes"},
	{"torch", "from_file _import_dotted_name execWrapper compile_file GuardBuilder load_url"},
	{"torch", "set_module load_state_dict_from_url"},
	{"torch.fx", "reduce_graph_module reduce_package_graph_module reduce_deploy_graph_module"},
	{"torch.utils.collect_env", "run*"},
	{"torch.storage", "_load_from_bytes"},
	{"transformers", "from_pretrained getattribute_from_module load_* pipeline"},
	{"diffusers", "from_pretrained getattribute_from_module load_*"},
	{"timm", "from_pretrained getattribute_from_module load_* create_model"},
	{"keras", "load_model Lambda load_weights model_from_*"},
	{"tensorflow",
	"load_model Lambda load_weights read_file write_file py_function numpy_function load load_op_library"},
	{"mlflow", "load* _load*"},
	{"pytorch_lightning", "load* _load*"},
	{"lightning", "load* _load*"},
	{"huggingface_hub", "*"},
	{"sklearn", "fetch_* load_*"},
	{"yaml", "load load_all unsafe_load unsafe_load_all full_load"},
};

static bool is_or_below(const char *module, const char *parent, size_t length)
{
	return strncmp(module, parent, length) == 0 && (module[length] == '\0' || module[length] == '.');
}

/* Length of the first word of a list, and where the next one starts. */
static size_t word(const char *list, const char **next)
{
	size_t n = strcspn(list, " ");
	*next = list + n + (list[n] == ' ');
	return n;
}

/* True when name is one of the words of the list. */
static bool listed(const char *list, const char *name, size_t length)
{
	for (const char *next; *list; list = next) {
		size_t n = word(list, &next);
		bool prefix = list[n - 1] == '*';
		if (prefix) n--;
		if ((prefix ? length >= n : length == n) && memcmp(list, name, n) == 0) return true;
	}
	return false;
}

static bool dangerous_module(const char *module)
{
	if (listed(dangerous_modules, module, strcspn(module, "."))) return true;
	for (const char *list = dangerous_submodules, *next; *list; list = next)
		if (is_or_below(module, list, word(list, &next))) return true;
	return false;
}

static bool dangerous_name(const char *module, const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof dangerous_names / sizeof *dangerous_names; i++)
		if (is_or_below(module, dangerous_names[i].module, strlen(dangerous_names[i].module)) &&
		    listed(dangerous_names[i].names, name, length))
			return true;
	return false;
}

/* "A.B" reaches B through A. Classes inside of classes have a capital; other roads lead to modules, methods.
 */
static bool dangerous_path(const char *module, const char *name)
{
	for (;;) {
		size_t n = strcspn(name, ".");
		bool last = name[n] == '\0';
		if (n == 0 || (n > 1 && name[0] == '_' && name[1] == '_')) return true;
		if (!last && (name[0] < 'A' || name[0] > 'Z')) return true;
		if (dangerous_name(module, name, n) || dangerous_name("builtins", name, n)) return true;
		if (last) return false;
		name += n + 1;
	}
}

/* Classes of the pathlib module that hold a path and do nothing with it when they are made. */
static bool plain_path(const char *module, const char *name)
{
	static const char *const names[] = {"PosixPath",       "WindowsPath", "PurePosixPath",
	                                    "PureWindowsPath", "Path",        "PurePath"};
	if (strcmp(module, "pathlib") != 0 && strcmp(module, "pathlib._local") != 0) return false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0) return true;
	return false;
}

ckpt_pickle_class ckpt_pickle_classify(const char *module, const char *name)
{
	const char *given = module;
	module = module3(module);
	if (find_row(known, sizeof known / sizeof *known, module, name)) return CKPT_PICKLE_KNOWN;
	ckpt_dtype dtype;
	if (storage_class(module, name, &dtype) || tensor_class(module, name)) return CKPT_PICKLE_KNOWN;
	if (strcmp(module, "torch") == 0 && ckpt_dtype_from_torch(name) != CKPT_DTYPE_NONE) return CKPT_PICKLE_KNOWN;
	if (plain_path(module, name)) return CKPT_PICKLE_SUSPICIOUS;
	if (jit_class(module)) return CKPT_PICKLE_SUSPICIOUS;
	/* a codec may be any module of the package encodings, but encode and decode themselves are harmless */
	if (strcmp(module, "codecs") == 0 || strcmp(module, "_codecs") == 0)
		return strcmp(name, "encode") == 0 ? CKPT_PICKLE_SUSPICIOUS : CKPT_PICKLE_DANGEROUS;
	if (dangerous_module(module) || dangerous_module(given)) return CKPT_PICKLE_DANGEROUS;
	if (dangerous_name(module, name, strlen(name))) return CKPT_PICKLE_DANGEROUS;
	if (strchr(name, '.') && dangerous_path(module, name)) return CKPT_PICKLE_DANGEROUS;
	if (!*name || !*module || strncmp(name, "__", 2) == 0) return CKPT_PICKLE_DANGEROUS;
	return CKPT_PICKLE_SUSPICIOUS;
}

bool ckpt_pickle_name_inert(const char *module, const char *name)
{
	return strcmp(name, "partial") == 0 && (strcmp(module, "functools") == 0 || strcmp(module, "_functools") == 0);
}
