// Python's module "pythonqt": the first import makes the application and the package "PythonQt".

#include "PythonQt.h"
#include "PythonQt_QtAll.h"

#include <QApplication>

namespace
{
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "pythonqt", nullptr, -1, nullptr};
}

PyMODINIT_FUNC PyInit_pythonqt()
{
  // In Slicer, too, the application is there before Python is; PythonQt has no constructor for it.
  static int count = 1;
  static char name[] = "Slicer";
  static char* arguments[] = {name, nullptr};
  if (!QApplication::instance())
  {
    new QApplication(count, arguments);
  }
  PythonQt::init(PythonQt::IgnoreSiteModule | PythonQt::PythonAlreadyInitialized);
  PythonQt_QtAll::init();
  return PyModule_Create(&definition);
}
